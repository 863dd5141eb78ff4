"""`services.broker.memory`: the faults, by hand.  What it promises is in `tests/contract`."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from services.broker.backoff import BASE_S, CAP_S
from services.broker.memory import Faults
from services.broker.memory.queue import QUEUE_MESSAGES, QUEUE_TTL
from services.broker.ports import LostReason, Route
from services.errors import BrokerUnavailable, HistoryUnavailable
from services.market.symbol import Symbol
from tests.eventually import turns
from tests.listeners import outgoing
from tests.unit.services.broker.memory_bench import A, B, bench


async def test_what_is_published_in_one_turn_arrives_together() -> None:
    """Messages of several calls and symbols come in one `on_ticks`, and one confirmation covers them."""
    async with bench() as b:
        b.sink.publish([outgoing(A, 1), outgoing(B, 1)])
        await b.publish(2)
        assert [[(m.symbol, m.first) for m in batch] for batch in b.got.batches] == [[(A, 1), (A, 2), (B, 1)]]
        assert b.told.answers == [(3, True, True)]


async def test_drop_next_loses_live_copies_only() -> None:
    """Dropped messages are in the log and confirmed, and the one after them comes."""
    async with bench() as b:
        b.broker.drop_next(A, 2)
        await b.publish(1, 2, 3)
        assert b.got.seqs(A) == [3]
        assert await b.logged() == [1, 2, 3]
        assert b.told.settled == {1: True, 2: True, 3: True}


async def test_unlog_next_loses_the_log_s_copy_only() -> None:
    """An unlogged message reaches its follower and is refused: what is accepted is in the log."""
    async with bench() as b:
        b.broker.unlog_next(A, 1)
        await b.publish(1, 2)
        assert b.got.seqs(A) == [1, 2]
        assert await b.logged() == [2]
        assert b.told.settled == {1: False, 2: True}


async def test_lose_next_loses_everything() -> None:
    """A lost message reaches nobody; another symbol is not touched."""
    async with bench() as b:
        b.broker.lose_next(A, 1)
        await b.publish(1, symbol=B)
        await b.publish(1, 2)
        assert (b.got.seqs(A), await b.logged()) == ([2], [2])
        assert b.got.seqs(B) == [1]


async def test_a_paused_source_keeps_the_newest_thousand() -> None:
    """A source that does not read finds the newest messages when it reads again, and the rest counted."""
    async with bench() as b:
        b.broker.pause("source")
        await b.publish(*range(1, QUEUE_MESSAGES + 6))
        assert not b.got.batches
        b.broker.resume("source")
        await turns()
        assert b.got.seqs(A) == list(range(6, QUEUE_MESSAGES + 6))
        assert b.source.dropped == 5


async def test_a_source_paused_before_its_delivery_gets_none() -> None:
    """What was published in the turn of `pause` waits for `resume` like all else."""
    async with bench() as b:
        b.sink.publish([outgoing(A, 1)])
        b.broker.pause("source")
        await turns()
        assert not b.got.batches
        b.broker.resume("source")
        await turns()
        assert b.got.seqs(A) == [1]


async def test_what_waited_too_long_is_dropped() -> None:
    """A paused source does not get what waited longer than the queue's time to live."""
    async with bench() as b:
        b.broker.pause("source")
        await b.publish(1)
        b.clock.now += QUEUE_TTL + 0.1
        await b.publish(2)
        b.broker.resume("source")
        await turns()
        assert b.got.seqs(A) == [2]
        assert b.source.dropped == 1


async def test_a_frozen_connection_is_found_by_a_probe() -> None:
    """A frozen source hears nothing; a probe waits 2 s, ends the connection, and the next one works."""
    async with bench() as b:
        b.broker.freeze("source")
        await b.publish(1)
        assert not b.got.batches
        assert not await b.source.probe()
        assert b.slept == [2.0]
        await turns()
        assert b.got.lost == [LostReason.SILENT]
        assert b.got.connections == 2
        assert await b.source.probe()


async def test_an_ended_connection_takes_everything_with_it() -> None:
    """What was published but not delivered dies with the connection, and the reason is told."""
    async with bench() as b:
        b.sink.publish([outgoing(A, 1)])
        b.broker.end_connection("source", LostReason.TLS)
        b.broker.end_connection("sink", LostReason.PROTOCOL)
        assert b.source.following == 0
        await turns()
        assert (b.got.batches, b.told.answers) == ([], [])
        assert (b.got.lost, b.told.lost) == ([LostReason.TLS], [LostReason.PROTOCOL])
        assert (b.got.connections, b.told.connections) == (2, 2)


async def test_nothing_of_an_ended_connection_is_told() -> None:
    """An ended flow, and a broker that blocks, go untold where the connection ends in the same turn."""
    async with bench() as b:
        b.broker.block()
        b.sink.publish([outgoing(A, 1)])
        b.broker.end_flow(A)
        b.broker.end_connection("source")
        b.broker.end_connection("sink")
        await turns()
        assert (b.got.connections, b.told.connections) == (2, 2)
        assert (b.got.unfollowed, b.told.blocked) == ([], [])


async def test_what_was_never_read_dies_with_its_connection() -> None:
    """Messages written to a blocked broker are neither read nor settled on the sink's next connection."""
    async with bench() as b:
        b.broker.block()
        await b.publish(1)
        b.broker.end_connection("sink")
        await turns()
        assert b.told.connections == 2
        b.broker.unblock()
        await turns()
        assert (b.told.answers, b.got.batches, await b.logged()) == ([], [], [])


async def test_a_repeated_message_reaches_the_log_too() -> None:
    """A republished message fills the hole that the log's loss of the first copy left."""
    async with bench(Faults(repeat=1.0)) as b:
        b.broker.unlog_next(A, 1)
        await b.publish(1)
        assert await b.logged() == [1]


async def test_a_listener_that_ends_the_connection_hears_no_more_of_it() -> None:
    """Nothing of a connection is told after its end, not even what came in the same batch."""
    async with bench() as b:
        b.broker.inject(outgoing(B, 1)._replace(identity="?"))
        b.broker.inject(outgoing(B, 2)._replace(identity="?"))
        b.got.on_first_malformed = partial(b.broker.end_connection, "source")
        await turns()
        assert len(b.got.malformed) == 1
        assert b.got.lost == [LostReason.BROKEN]


async def test_reconnection_backs_off_and_recovers() -> None:
    """Waits grow to at most 2 s while the broker is down, and start small after a connection that stood."""
    async with bench() as b:
        b.clock.now += 100
        b.broker.stop()
        await turns(400)
        assert b.got.lost[0] is LostReason.CLOSED
        assert set(b.got.lost[1:]) == {LostReason.REFUSED}
        assert len(b.got.lost) > 50
        assert max(b.slept[:2]) <= BASE_S
        assert 1.0 < max(b.slept) <= CAP_S
        b.broker.start()
        await turns()
        assert b.got.connections == 2
        b.clock.now += 100
        b.slept.clear()
        b.broker.end_connection("source")
        await turns()
        assert b.slept
        assert max(b.slept) <= BASE_S


async def test_a_follow_that_the_broker_never_answers_ends_with_the_connection() -> None:
    """A held `follow` returns when released, and raises when its connection ends, even if a new one stands."""
    async with bench() as b:
        b.broker.hold_follows()
        c = Symbol("C")
        waiting = asyncio.create_task(b.source.follow(c))
        await turns()
        assert not waiting.done()
        b.broker.release_follows()
        await waiting
        assert b.source.following == 3
        b.broker.hold_follows()
        waiting = asyncio.create_task(b.source.follow(Symbol("D")))
        await turns()
        b.broker.end_connection("source")
        await turns()
        assert b.got.connections == 2
        with pytest.raises(BrokerUnavailable):
            await waiting
        assert b.source.following == 0


async def test_a_muted_symbol_comes_again_after_rebind() -> None:
    """`mute` silences one symbol, for its followers only; the log goes on."""
    async with bench() as b:
        b.broker.mute(A)
        await b.publish(1)
        await b.publish(1, symbol=B)
        assert (b.got.seqs(A), b.got.seqs(B)) == ([], [1])
        await b.source.rebind(A)
        await b.publish(2)
        assert b.got.seqs(A) == [2]
        assert await b.logged() == [1, 2]


async def test_a_blocked_broker_reads_nothing() -> None:
    """Blocking is told at the next publish; what was written is read, in order, when it ends."""
    async with bench() as b:
        b.broker.block()
        await turns()
        assert b.told.blocked == []
        await b.publish(1)
        await b.publish(2)
        assert (b.told.blocked, b.told.answers, b.got.batches) == ([True], [], [])
        b.broker.unblock()
        await turns()
        assert b.told.blocked == [True, False]
        assert b.told.settled == {1: True, 2: True}
        assert b.got.seqs(A) == [1, 2]


async def test_held_confirmations_come_when_released() -> None:
    """Holding confirmations holds nothing else."""
    async with bench() as b:
        b.broker.hold_confirms()
        await b.publish(1)
        assert (b.got.seqs(A), b.told.answers) == ([1], [])
        b.broker.release_confirms()
        await turns()
        assert b.told.settled == {1: True}


async def test_a_malformed_message_is_counted() -> None:
    """What no codec wrote is counted on each route, and reaches the log on none."""
    async with bench() as b:
        for route in Route:
            b.broker.inject(outgoing(A, 1)._replace(route=route, identity="?", body=b"?"))
        await turns()
        assert b.broker.malformed == 3
        assert len(b.got.malformed) == 2
        assert await b.logged() == []


async def test_history_that_stops_reading_answers_from_then() -> None:
    """A history that reads no further answers from where it stood, and knows no symbol that came later."""
    async with bench() as b:
        await b.publish(1)
        b.history.stop_reading()
        await b.publish(2)
        await b.publish(1, symbol=B)
        assert (await b.ask()).top == (1, 1)
        assert (await b.ask(symbol=B)).top is None
        b.history.read_on()
        assert (await b.ask()).top == (1, 2)


async def test_history_may_be_silent_or_absent() -> None:
    """Where nobody answers a question fails after 0.5 s; `present` tells absence, not silence."""
    async with bench() as b:
        history = b.history
        assert history.present
        history.silent = True
        with pytest.raises(HistoryUnavailable):
            await b.ask()
        assert history.present
        history.silent, history.present = False, False
        with pytest.raises(HistoryUnavailable):
            await b.ask()
        assert b.slept == [0.5, 0.5]


async def test_an_answer_never_comes_in_the_turn_of_its_question() -> None:
    """A question yields to the loop even where nothing is wrong."""
    async with bench() as b:
        asking = asyncio.create_task(b.ask())
        await asyncio.sleep(0)
        assert not asking.done()
        await asking
