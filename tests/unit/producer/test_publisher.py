"""The shell between backlog and sink: what goes out when, and what happens when it cannot."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
import structlog

from producer.backlog import Backlog
from producer.publisher import ANSWER_US, DIRECTORY_EVERY, Publisher
from producer.sampling import Sampling
from producer.sources.simulation import Simulation
from producer.sources.source import Burst
from producer.sources.universe import Listing
from producer.traces import Traces
from services.broker.ports import LostReason, Route
from services.market.symbol import Symbol
from services.market.trace import Outcome
from services.market.wire import decode_message
from tests.eventually import turns
from tests.unit.producer.scripted import WALL, HandClock, ScriptedSink
from tests.unit.tracer import Notebook

EPOCH = 1_795_000_000_000
A, B = Symbol("A"), Symbol("B")
LISTINGS = [Listing(symbol, symbol, 10_000, 0.3, 1.0, 1.0, 2) for symbol in (A, B)]


class Stage:
    """A publisher, its sink and its clock; two symbols, of which `tick` makes as many ticks as asked."""

    def __init__(self, backlog: Backlog | None = None, *, begun: bool = True) -> None:
        self.clock, self.sink = HandClock(), ScriptedSink()
        self.publisher = Publisher(self.sink, self.clock, "main", backlog=backlog)
        self.sink.listener = self.publisher
        self._simulations = {one.symbol: Simulation(1, [one], 1) for one in LISTINGS}
        self._until = dict.fromkeys(self._simulations, -1)
        if begun:
            self.publisher.begin(EPOCH, Simulation(1, LISTINGS, 1).instruments(WALL))

    def tick(self, *symbols: Symbol) -> None:
        """Offer the next tick of each symbol, each in a burst of its own."""
        self.publisher.offer([self._burst(symbol) for symbol in symbols])

    def _burst(self, symbol: Symbol) -> Burst:
        source = self._simulations[symbol]
        bursts: list[Burst] = []
        while not bursts:
            self._until[symbol] = max(self._until[symbol] + 1, source.next_due())
            bursts = list(source.due(self._until[symbol], WALL))
        return bursts[0]

    def seqs(self, route: Route = Route.TICK) -> list[tuple[str, int]]:
        """Symbol and first sequence of what was published since the last call."""
        found = self.sink.taken(route)
        return [(m.symbol, decode_message(Symbol(m.symbol), m.identity, m.body).first) for m in found]


@pytest.fixture(name="stage")
def _stage() -> Stage:
    return Stage()


def test_ticks_go_out_with_their_identity(stage: Stage) -> None:
    """A tick is published at once as one message whose identity is epoch, sequence and time of publication."""
    stage.sink.connect()
    stage.clock.now += 5
    stage.tick(A, B)
    first, second = stage.sink.taken(Route.TICK)
    assert first.identity == f"{EPOCH}-1-{WALL + 5_000_000}"
    assert (first.symbol, second.symbol) == (A, B)
    assert decode_message(A, first.identity, first.body).epoch == EPOCH


def test_nothing_is_said_before_the_epoch_is_known() -> None:
    """Until the run has begun neither heartbeat nor directory goes out."""
    stage = Stage(begun=False)
    stage.sink.connect()
    stage.publisher.beat()
    stage.publisher.farewell()
    assert stage.sink.batches == []


def test_a_connection_brings_directory_and_all_marks(stage: Stage) -> None:
    """A new connection begins with what waited, then the directory, then the marks of all symbols."""
    stage.tick(A)
    stage.sink.connect()
    routes = [m.route for batch in stage.sink.batches for m in batch]
    assert routes == [Route.TICK, Route.CONTROL, Route.CONTROL]
    control = [m for batch in stage.sink.batches for m in batch if m.route is Route.CONTROL]
    assert b'"type":"directory"' in control[0].body
    (heartbeat,) = stage.sink.controls("heartbeat")
    assert heartbeat == {
        "type": "heartbeat",
        "shard": "main",
        "epoch": EPOCH,
        "time": WALL,
        "directory": EPOCH,
        "full": True,
        "marks": {"A": 1, "B": 0},
    }


def test_directory_is_told_again_and_again(stage: Stage) -> None:
    """A directory of one part is told every 2 beats: a gateway that starts later has nothing to offer before."""
    assert _told(stage, 6) == [2, 4, 6]


def test_large_directory_is_told_less_often() -> None:
    """A directory of 9 parts is told every 9 beats: sooner than a gateway's clients give up waiting for it."""
    stage = Stage(begun=False)
    (one,) = Simulation(1, LISTINGS[:1], 1).instruments(WALL)
    many = [dataclasses.replace(one, symbol=Symbol(f"S{n}")) for n in range(4_001)]
    stage.publisher.begin(EPOCH, many)
    assert _told(stage, 2 * DIRECTORY_EVERY) == [DIRECTORY_EVERY] * 9 + [2 * DIRECTORY_EVERY] * 9


def _told(stage: Stage, beats: int) -> list[int]:
    """Return the beats after the connection with which a part of the directory was told."""
    stage.sink.connect()
    stage.sink.batches.clear()
    told = []
    for beat in range(1, beats + 1):
        stage.publisher.beat()
        told += [beat] * len(stage.sink.controls("directory"))
        stage.sink.settle(stage.sink.number)
    return told


def test_marks_name_only_what_was_handed_over() -> None:
    """A tick that waits behind a full wire is in no mark until it goes out."""
    stage = Stage(Backlog(10, 1))
    stage.sink.connect()
    stage.tick(A)
    stage.tick(A)
    stage.publisher.beat()
    assert stage.sink.controls("heartbeat")[-1]["marks"] == {"A": 1}
    stage.sink.settle(stage.sink.number)
    assert stage.seqs() == [(A, 1), (A, 2)]
    stage.publisher.beat()
    assert stage.sink.controls("heartbeat")[-1]["marks"] == {"A": 2}


def test_ticks_go_on_while_disconnected(stage: Stage) -> None:
    """After a lost connection comes first what had no answer, unchanged, then what was made meanwhile."""
    stage.sink.connect()
    stage.tick(A)
    stage.tick(B)
    before = stage.sink.taken(Route.TICK)
    stage.sink.lose()
    stage.clock.now += 3
    stage.tick(A)
    stage.publisher.beat()
    assert stage.sink.taken(Route.TICK) == []
    stage.sink.connect()
    after = stage.sink.taken(Route.TICK)
    assert after[:2] == before
    assert [m.identity for m in after[2:]] == [f"{EPOCH}-2-{WALL + 3_000_000}"]
    assert stage.publisher.backlog.counts.repeated == 2


def test_a_blocked_broker_gets_nothing(stage: Stage) -> None:
    """While blocked neither ticks nor heartbeats are written; afterwards the ticks go out in order."""
    stage.sink.connect()
    stage.sink.batches.clear()
    stage.publisher.on_blocked(blocked=True)
    stage.tick(A)
    stage.tick(B)
    stage.publisher.beat()
    assert stage.sink.batches == []
    assert stage.publisher.heartbeats_left == 1
    stage.publisher.on_blocked(blocked=False)
    assert stage.seqs() == [(A, 1), (B, 1)]


def test_a_new_connection_is_not_blocked(stage: Stage) -> None:
    """Being blocked ends with the connection."""
    stage.sink.connect()
    stage.publisher.on_blocked(blocked=True)
    stage.sink.lose()
    stage.sink.connect()
    stage.tick(A)
    assert stage.seqs() == [(A, 1)]


def test_a_sink_that_refuses_loses_nothing(stage: Stage) -> None:
    """Where the sink knows of a lost connection before the listener does, the ticks go out on the next one."""
    stage.sink.connect()
    stage.sink.standing = False
    stage.tick(A)
    stage.tick(A)
    assert not stage.publisher.connected
    stage.sink.lose()
    stage.sink.connect()
    assert stage.seqs() == [(A, 1), (A, 2)]


def test_refused_ticks_are_lost(stage: Stage) -> None:
    """A nack counts its ticks as refused; they are not published again."""
    stage.sink.connect()
    stage.sink.settle(stage.sink.number)
    stage.tick(A)
    stage.tick(B)
    stage.sink.settle(stage.sink.number - 1, multiple=False, accepted=False)
    stage.sink.settle(stage.sink.number, multiple=True)
    counts = stage.publisher.backlog.counts
    assert (counts.refused, counts.confirmed) == (1, 1)
    stage.sink.lose()
    stage.sink.batches.clear()
    stage.sink.connect()
    assert stage.seqs() == []


def test_silent_symbols_are_repeated_for_the_log(stage: Stage) -> None:
    """A minute after a symbol's last tick that tick is published again, same position, for the log only."""
    stage.sink.connect()
    stage.tick(A)
    (tick,) = stage.sink.taken(Route.TICK)
    stage.clock.now += 59.5
    stage.publisher.beat()
    assert stage.sink.taken(Route.LAST) == []
    stage.clock.now += 0.5
    stage.publisher.beat()
    (last,) = stage.sink.taken(Route.LAST)
    assert (last.symbol, last.identity, last.body) == (tick.symbol, tick.identity, tick.body)
    stage.publisher.beat()
    assert stage.sink.taken(Route.LAST) == []
    assert stage.sink.taken(Route.TICK) == []


def test_what_a_full_wire_cannot_take_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory or repeat that finds no room goes out at the next beat that has room."""
    monkeypatch.setattr("producer.publisher.ANSWER_US", 10**12)  # this broker is slow, not mute
    stage = Stage(Backlog(2, 1))
    stage.sink.connect()
    stage.sink.settle(stage.sink.number)
    stage.tick(A)
    stage.sink.settle(stage.sink.number)
    stage.clock.now += 60
    stage.publisher.beat()
    stage.publisher.beat()
    assert stage.publisher.backlog.unconfirmed == 2
    assert len(stage.sink.taken(Route.LAST)) == 1
    stage.clock.now += 60
    stage.publisher.beat()
    assert stage.sink.taken(Route.LAST) == []
    stage.sink.settle(stage.sink.number)
    stage.sink.taken(Route.CONTROL)
    stage.publisher.beat()
    assert len(stage.sink.controls("directory")) == 1
    stage.sink.settle(stage.sink.number)
    stage.publisher.beat()
    assert len(stage.sink.taken(Route.LAST)) == 1


async def test_settled_waits_for_the_last_answer(stage: Stage) -> None:
    """Everything counts as settled only after what waits was published and answered."""
    stage.sink.connect()
    stage.sink.lose()
    stage.tick(A)
    waiting = asyncio.create_task(stage.publisher.settled())
    await asyncio.sleep(0)
    stage.sink.connect()
    stage.sink.settle(stage.sink.number - 1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    stage.sink.settle(stage.sink.number)
    async with asyncio.timeout(5):
        await waiting


def test_a_message_that_is_never_answered_ends_the_connection(stage: Stage) -> None:
    """A message that stays the oldest unanswered one for 10 s goes out again, on another connection."""
    stage.sink.connect()
    stage.tick(A)
    stage.tick(B)
    stage.sink.settle(stage.sink.number, multiple=False)  # the later one is answered, what was before it is not
    for _ in range(ANSWER_US // 1_000_000):
        stage.publisher.beat()
        assert stage.sink.standing
        stage.clock.now += 1.0
        stage.sink.settle(stage.sink.number, multiple=False)
    stage.publisher.beat()
    assert not stage.sink.standing
    assert stage.publisher.unanswered == 1

    stage.sink.taken(Route.TICK)
    stage.sink.connect()
    assert ("A", 1) in stage.seqs()


def test_whose_answers_come_keeps_its_connection(stage: Stage) -> None:
    """A connection on which each message is answered in time stands, whatever is always under way."""
    stage.sink.connect()
    for _ in range(30):
        stage.tick(A)
        stage.publisher.beat()
        stage.clock.now += 1.0
        stage.sink.settle(stage.sink.number)
    assert stage.sink.standing


def test_farewell_tells_all_marks(stage: Stage) -> None:
    """The last heartbeat of a run names every symbol's last position."""
    stage.sink.connect()
    stage.tick(A, B)
    stage.tick(A)
    stage.sink.batches.clear()
    stage.publisher.farewell()
    (heartbeat,) = stage.sink.controls("heartbeat")
    assert (heartbeat["full"], heartbeat["marks"]) == (True, {"A": 2, "B": 1})


def test_an_outage_is_one_line() -> None:
    """However many attempts fail, an outage is logged once; so is entering and leaving the conflating state."""
    with structlog.testing.capture_logs() as lines:
        stage = Stage(Backlog(queue_us=0))
        for _ in range(3):
            stage.publisher.on_lost(LostReason.REFUSED)
        stage.sink.connect()
        stage.sink.lose()
        stage.publisher.on_lost(LostReason.REFUSED)
        for _ in range(4):
            stage.tick(A)
            stage.clock.now += 1
        stage.sink.connect()
    assert [line["event"] for line in lines] == [
        "producer.disconnected",
        "producer.connected",
        "producer.disconnected",
        "producer.conflating",
        "producer.connected",
        "producer.complete",
    ]
    assert stage.publisher.backlog.counts.lost == 2


def test_nothing_goes_out_without_the_lease(stage: Stage) -> None:
    """While the lease is not ours ticks wait and nothing is said; then they go out in order, with all marks."""
    stage.sink.connect()
    stage.tick(A)
    stage.sink.batches.clear()
    stage.publisher.lead(leads=False)
    stage.tick(A, B)
    stage.publisher.beat()
    stage.publisher.farewell()
    stage.tick(A)
    assert stage.sink.batches == []
    assert stage.publisher.heartbeats_left == 2
    stage.publisher.lead(leads=True)
    assert stage.seqs() == [("A", 2), ("B", 1), ("A", 3)]
    (heartbeat,) = stage.sink.controls("heartbeat")
    assert (heartbeat["marks"], heartbeat["full"]) == ({"A": 3, "B": 1}, True)


def test_a_lease_that_stays_says_nothing(stage: Stage) -> None:
    """Being told again what is known sends no heartbeat."""
    stage.sink.connect()
    stage.sink.batches.clear()
    stage.publisher.lead(leads=True)
    assert stage.sink.batches == []


def test_a_run_that_is_over_leaves_nothing(stage: Stage) -> None:
    """After the end nothing of the run goes out, on this connection or the next; the next run starts from 1."""
    stage.sink.connect()
    stage.tick(A)
    stage.publisher.lead(leads=False)
    stage.tick(A, B)
    stage.publisher.end()
    assert (stage.publisher.epoch, stage.publisher.backlog.counts.lost) == (0, 2)
    stage.sink.batches.clear()
    stage.publisher.lead(leads=True)
    stage.publisher.beat()
    stage.sink.lose()
    stage.sink.connect()
    assert stage.sink.batches == []
    assert stage.publisher.backlog.counts.lost == 3

    stage.publisher.begin(EPOCH + 1, Simulation(1, LISTINGS, 1).instruments(WALL))
    stage.publisher.beat()
    (directory,) = stage.sink.controls("directory")
    assert directory["version"] == EPOCH + 1
    assert stage.publisher.epochs == 2


async def test_a_run_that_is_over_is_settled(stage: Stage) -> None:
    """Who waits for the last answer of a run that was discarded waits no longer."""
    stage.publisher.lead(leads=False)
    stage.tick(A, B)
    waiting = asyncio.create_task(stage.publisher.settled())
    await turns()
    assert not waiting.done()
    stage.publisher.end()
    async with asyncio.timeout(5):
        await waiting


# ------------------------------------------------------------------------------------------------------ tracing


@pytest.fixture(name="book")
def _book(stage: Stage) -> Notebook:
    """What is traced of the ticks of *stage*: all."""
    book = Notebook()
    stage.publisher.traces = Traces(book, Sampling(1, lambda _: 0))
    return book


def test_a_sampled_tick_goes_out_with_its_context(stage: Stage, book: Notebook) -> None:
    """A sampled tick waits in the backlog without a span, and is published with the context of one."""
    stage.tick(A)
    assert book.sent == []
    stage.clock.now += 5
    stage.sink.connect()
    (sent,) = book.sent
    assert (sent.carrier.symbol, sent.carrier.epoch, sent.carrier.first) == (A, EPOCH, 1)
    assert (sent.began, sent.writes) == (WALL, [WALL + 5_000_000])
    assert stage.sink.contexts == {(A, f"{EPOCH}-1-{WALL}"): sent.context}
    stage.clock.now += 1
    stage.sink.settle(stage.sink.number)
    assert sent.ends == [(WALL + 6_000_000, Outcome.CONFIRMED)]


def test_a_sampled_tick_is_published_again_with_its_context(stage: Stage, book: Notebook) -> None:
    """What had no answer when the connection was lost goes out on the next one with the context that it had."""
    stage.sink.connect()
    stage.tick(A, B)
    before = dict(stage.sink.contexts)
    stage.sink.contexts.clear()
    stage.sink.lose()
    stage.sink.connect()
    assert stage.sink.contexts == before
    stage.sink.settle(stage.sink.number)
    assert [(len(sent.writes), len(sent.ends)) for sent in book.sent] == [(2, 1), (2, 1)]


def test_a_write_that_fails_keeps_the_context(stage: Stage, book: Notebook) -> None:
    """A sink that knows of its end before it could tell takes nothing, and the next one gets the same contexts."""
    stage.sink.connect()
    stage.sink.standing = False
    stage.tick(A)
    assert stage.sink.contexts == {}
    stage.sink.connect()
    (sent,) = book.sent
    assert list(stage.sink.contexts.values()) == [sent.context]


def test_the_end_of_a_run_ends_its_spans(stage: Stage, book: Notebook) -> None:
    """A run that is over leaves no span open: what had no answer counts as lost."""
    stage.sink.connect()
    stage.tick(A)
    stage.publisher.end()
    assert [end for sent in book.sent for _, end in sent.ends] == [Outcome.LOST]


def test_repeats_and_heartbeats_are_not_traced(stage: Stage, book: Notebook) -> None:
    """Only ticks that are published for the first time, or again after a loss, have spans."""
    stage.sink.connect()
    stage.tick(A)
    stage.sink.contexts.clear()
    stage.clock.now += 61
    stage.publisher.beat()
    assert stage.sink.taken(Route.LAST)
    assert (stage.sink.contexts, len(book.sent)) == ({}, 1)
