"""`services.broker.memory`: the faults, by seed.  What it promises is in `tests/contract`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.broker.memory import Faults
from services.broker.ports import LostReason
from services.errors import BrokerUnavailable, HistoryUnavailable
from services.market.symbol import Symbol
from tests.eventually import turns
from tests.listeners import outgoing
from tests.unit.services.broker.memory_bench import START, A, Bench, bench

SEQS = range(1, 401)

Seen = Callable[[Bench], bool]
RATES: dict[str, tuple[Faults, Seen]] = {
    "live_loss": (Faults(live_loss=0.1), lambda b: set(b.got.seqs(A)) < set(SEQS)),
    "log_loss": (Faults(log_loss=0.1), lambda b: b.got.seqs(A) == list(SEQS) and False in b.told.settled.values()),
    "nack": (Faults(nack=0.1), lambda b: b.told.settled == {seq: seq in b.got.seqs(A) for seq in SEQS}),
    "repeat": (Faults(repeat=0.1), lambda b: set(b.got.seqs(A)) == set(SEQS) and len(b.got.seqs(A)) > len(SEQS)),
    "unfollow": (Faults(unfollow=0.1), lambda b: b.got.unfollowed == [A] and b.source.following == 1),
    "mute": (Faults(mute=0.1), lambda b: b.got.seqs(A) == list(SEQS)[: len(b.got.seqs(A))] != list(SEQS)),
    "source_end": (Faults(source_end=0.1), lambda b: b.got.lost == [LostReason.BROKEN] and b.got.connections == 2),
    "shuffle": (Faults(shuffle=1.0), lambda b: len(b.told.answers) == len(SEQS) and b.told.answers[0][0] != 1),
}


@pytest.mark.parametrize("fault", RATES)
async def test_a_fault_by_chance_shows(fault: str) -> None:
    """Each fault of a message that is turned on alone does what it says, and nothing else."""
    faults, seen = RATES[fault]
    async with bench(faults) as b:
        await b.publish(*SEQS)
        assert seen(b)
        assert len(b.told.settled) == len(SEQS)


async def test_a_sink_s_connection_may_end_in_the_middle_of_a_publish() -> None:
    """A publish that its connection does not survive returns its number; a first part of it may be in the log."""
    async with bench(Faults(sink_end=1.0, seed=3)) as b:
        assert b.sink.publish([outgoing(A, seq) for seq in SEQS]) == 400
        with pytest.raises(BrokerUnavailable):
            b.sink.publish([outgoing(A, 1)])
        await turns()
        assert b.told.lost == [LostReason.BROKEN]
        assert b.told.answers == []
        logged = await b.logged()
        assert 0 < len(logged) < 400
        assert logged == list(range(1, len(logged) + 1))


async def test_attempts_to_connect_may_fail_by_chance() -> None:
    """`refuse` fails attempts, each told, and not all of them."""
    async with bench(Faults(refuse=0.7, seed=1)) as b:
        assert LostReason.REFUSED in b.got.lost + b.told.lost


async def test_an_early_follow_delivers_before_it_returns() -> None:
    """`early_follow` lets ticks come while `follow` still waits."""
    async with bench(Faults(early_follow=1.0)) as b:
        c = Symbol("C")
        b.broker.hold_follows()
        waiting = asyncio.create_task(b.source.follow(c))
        await turns()
        await b.publish(1, symbol=c)
        assert b.got.seqs(c) == [1]
        assert not waiting.done()
        b.broker.release_follows()
        await waiting


async def test_history_may_lag_by_chance() -> None:
    """A lagging history answers from any earlier state: from nothing up to everything."""
    async with bench(Faults(history_lag=1.0)) as b:
        await b.publish(1, 2, 3)
        tops = {(await b.ask()).top for _ in range(60)}
        assert tops == {None, (1, 1), (1, 2), (1, 3)}


async def test_history_may_be_late_by_chance() -> None:
    """A late answer takes up to `history_late_s`; beyond 0.5 s there is none."""
    async with bench(Faults(history_late=1.0, history_late_s=1.0)) as b:
        failures = 0
        for _ in range(40):
            try:
                await b.ask()
            except HistoryUnavailable:
                failures += 1
        assert 0 < failures < 40
        assert max(b.slept) == 0.5


async def test_history_may_forget_by_chance() -> None:
    """A forgetful history drops a random oldest part for good, and says so; the newest tick it keeps."""
    async with bench(Faults(history_forget=1.0)) as b:
        await b.publish(*SEQS)
        forgot = START
        for _ in range(10):
            answer = await b.ask()
            assert answer.top == (1, 400)
            assert forgot <= (answer.forgot or START) < (1, 400)
            forgot = answer.forgot or START
        assert forgot > START
        last = await b.ask(None)
        assert [p for p, _ in last.ticks] == [(1, 400)]


async def outcome(seed: int) -> tuple[object, ...]:
    """What happens on a rough broker."""
    async with bench(Faults.rough(seed)) as b:
        for seq in SEQS:
            try:
                await b.publish(seq)
                await b.source.follow(A)
                await b.source.rebind(A)
            except BrokerUnavailable:
                await turns()
        assert b.got.positions(A)
        assert max(b.got.seqs(A)) > 300
        return b.got.positions(A), b.got.lost, b.got.unfollowed, b.told.lost, b.told.answers


async def test_a_seed_fixes_what_happens() -> None:
    """The same seed on a rough broker gives the same run, to the last answer; another seed another run."""
    assert await outcome(1) == await outcome(1)
    assert await outcome(1) != await outcome(2)
