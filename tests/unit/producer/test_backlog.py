"""The backlog against a model that keeps everything in plain lists."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from producer.backlog import QUEUE_BYTES, QUEUE_US, WIRE, WIRE_TICKS, Backlog
from producer.grouping import Parcel
from services.broker.ports import Outgoing, Route
from services.market.symbol import Symbol
from services.market.wire import message_id

EPOCH = 7
SYMBOLS = tuple(Symbol(name) for name in ("A", "B", "C"))
CONTROL = Outgoing(Route.CONTROL, "", None, b"{}")


def parcel(symbol: Symbol, first: int, length: int = 1, made: int = 0) -> Parcel:
    """A parcel whose lines are nine bytes each and name their position."""
    body = b"\n".join(b"%s-%07d" % (symbol.encode(), first + n) for n in range(length))
    message = Outgoing(Route.TICK, symbol, message_id(EPOCH, first, 5), body)
    return Parcel(message, symbol, EPOCH, first, length, 5, made)


def bodies(parcels: list[Parcel]) -> list[bytes]:
    """What the parcels carry."""
    return [each.message.body for each in parcels]


class Model(RuleBasedStateMachine):
    """The same calls, the same answers, and no tick without an end."""

    WIRE, TICKS, SPAN, BYTES = 6, 4, 10, 120

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(self.WIRE, self.TICKS, self.SPAN, self.BYTES)
        self.clock = 0
        self.seqs = dict.fromkeys(SYMBOLS, 0)
        self.added = self.confirmed = self.refused = self.lost = 0
        self.again: list[Parcel] = []
        self.queue: list[Parcel] = []
        self.newest: list[Parcel] = []
        self.wire: list[tuple[int, Parcel | None]] = []
        self.number = self.discarded = 0
        self.sent = dict.fromkeys(SYMBOLS, 0)

    @rule(symbol=st.sampled_from(SYMBOLS), length=st.integers(1, 4), later=st.integers(0, 4))
    def add(self, symbol: Symbol, length: int, later: int) -> None:
        """Ticks are made."""
        self.clock += later
        new = parcel(symbol, self.seqs[symbol] + 1, length, self.clock)
        self.seqs[symbol] += length
        self.added += length
        self.backlog.add(new)
        size = sum(len(p.message.body) for p in [*self.queue, new])
        fits = not self.queue or (new.made - self.queue[0].made <= self.SPAN and size <= self.BYTES)
        if fits and not self.newest:
            self.queue.append(new)
            return
        self.lost += length - 1 + sum(p.length for p in self.newest if p.symbol == symbol)
        self.newest = [p for p in self.newest if p.symbol != symbol] + [
            parcel(symbol, new.last, 1, self.clock),
        ]

    @rule()
    def take(self) -> None:
        """The shell hands over what may go."""
        waiting = self.again + self.queue + self.newest
        room = min(self.TICKS - sum(1 for _, p in self.wire if p), self.WIRE - len(self.wire))
        expected, rest = waiting[:room], waiting[room:]
        for each in expected:
            self.number += 1
            self.wire.append((self.number, each))
        self.again = [p for p in rest if p in self.again]
        self.queue = [p for p in rest if p in self.queue]
        self.newest = [p for p in rest if p in self.newest]

        taken = self.backlog.take(0)

        assert bodies(taken) == bodies(expected)
        assert [p.message.identity for p in taken] == [p.message.identity for p in expected]
        for each in taken:
            if each.last > self.sent[each.symbol]:
                assert each.first > self.sent[each.symbol], "part of a message again"
                self.sent[each.symbol] = each.last

    @rule(messages=st.integers(1, 4))
    def spare(self, messages: int) -> None:
        """A heartbeat, or more, goes out if there is room."""
        taken = self.backlog.spare([CONTROL] * messages, 0)
        assert len(taken) == min(messages, self.WIRE - len(self.wire))
        for _ in taken:
            self.number += 1
            self.wire.append((self.number, None))

    @precondition(lambda self: self.wire)
    @rule(data=st.data(), multiple=st.booleans(), accepted=st.booleans())
    def settle(self, data: st.DataObject, multiple: bool, accepted: bool) -> None:  # noqa: FBT001 - drawn
        """The broker answers for one message, or for all up to it."""
        number, _ = data.draw(st.sampled_from(self.wire))
        answered = [(n, p) for n, p in self.wire if n == number or (multiple and n < number)]
        self.wire = [entry for entry in self.wire if entry not in answered]
        ticks = sum(p.length for _, p in answered if p)
        if accepted:
            self.confirmed += ticks
        else:
            self.refused += ticks
        self.backlog.settle(number, 0, multiple=multiple, accepted=accepted)

    @rule()
    def disconnect(self) -> None:
        """The connection is lost."""
        self.again = [p for n, p in self.wire if p and n > self.discarded] + self.again
        self.lost += sum(p.length for n, p in self.wire if p and n <= self.discarded)
        self.wire, self.number, self.discarded = [], 0, 0
        self.backlog.disconnect()

    @rule()
    def discard(self) -> None:
        """The run is over."""
        self.lost += sum(p.length for p in self.again + self.queue + self.newest)
        self.again, self.queue, self.newest = [], [], []
        self.discarded = self.number
        self.backlog.discard()

    @invariant()
    def agrees(self) -> None:
        """Counts and sizes are the model's, no bound is passed, and every tick is somewhere."""
        backlog, counts = self.backlog, self.backlog.counts
        assert (counts.confirmed, counts.refused, counts.lost) == (self.confirmed, self.refused, self.lost)
        assert backlog.unconfirmed == len(self.wire) <= self.WIRE
        assert backlog.waiting == len(self.again) + len(self.queue) + len(self.newest)
        assert backlog.bytes == sum(len(p.message.body) for p in self.queue) <= self.BYTES
        assert backlog.conflating == bool(self.newest)
        assert len(self.again) <= self.TICKS
        assert len(self.newest) <= len(SYMBOLS)
        assert not self.queue or self.queue[-1].made - self.queue[0].made <= self.SPAN
        here = [*self.again, *self.queue, *self.newest, *(p for _, p in self.wire if p)]
        assert self.added == self.confirmed + self.refused + self.lost + sum(p.length for p in here)
        assert backlog.empty == (not here)


Model.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestBacklog = Model.TestCase


def test_defaults_are_the_designs() -> None:
    """The bounds are 5,000 messages on the wire, and behind them 10 s and 64 MiB."""
    assert (WIRE, QUEUE_US, QUEUE_BYTES) == (5_000, 10_000_000, 64 * 1024 * 1024)
    assert WIRE_TICKS < WIRE


def test_unanswered_goes_first_and_unchanged() -> None:
    """After a lost connection what had no answer goes out first, in order and with its identity."""
    backlog = Backlog()
    early = [parcel(SYMBOLS[0], 1), parcel(SYMBOLS[1], 1, 3), parcel(SYMBOLS[0], 2)]
    for each in early:
        backlog.add(each)
    backlog.take(0)
    backlog.settle(1, 0, multiple=False, accepted=True)
    backlog.add(parcel(SYMBOLS[2], 1))
    backlog.disconnect()

    assert backlog.take(0) == [early[1], early[2], parcel(SYMBOLS[2], 1)]
    assert backlog.counts.repeated == 4


def test_ten_seconds_without_a_connection_lose_nothing() -> None:
    """Within its bounds the queue keeps every tick; the first parcel past 10 s leaves the newest only."""
    backlog = Backlog()
    for second in range(11):
        backlog.add(parcel(SYMBOLS[0], 1 + second, 1, second * 1_000_000))
    assert not backlog.conflating

    backlog.add(parcel(SYMBOLS[0], 12, 4, 10_000_001))
    backlog.add(parcel(SYMBOLS[0], 16, 1, 10_000_002))

    assert backlog.counts.lost == 4
    assert [p.first for p in backlog.take(0)] == [*range(1, 12), 16]


def test_an_answer_to_nothing_has_no_effect() -> None:
    """An answer for a number that was never given changes nothing."""
    backlog = Backlog()
    backlog.add(parcel(SYMBOLS[0], 1))
    backlog.take(0)
    backlog.settle(9, 0, multiple=False, accepted=True)
    assert backlog.unconfirmed == 1
    backlog.settle(9, 0, multiple=True, accepted=True)
    assert backlog.empty
    backlog.add(parcel(SYMBOLS[0], 2))
    backlog.take(0)
    backlog.settle(2, 0, multiple=True, accepted=True)
    assert backlog.counts.confirmed == 2


def test_confirms_are_timed() -> None:
    """A message that the broker takes over counts once, with its time on the wire; a refused one does not."""
    backlog = Backlog()
    for first in (1, 2, 3):
        backlog.add(parcel(SYMBOLS[0], first))
    backlog.take(1_000)
    backlog.spare([CONTROL], 2_000)
    backlog.settle(2, 3_000, multiple=False, accepted=True)
    backlog.settle(3, 4_000, multiple=False, accepted=False)
    backlog.settle(4, 5_000, multiple=True, accepted=True)
    backlog.settle(4, 9_000, multiple=True, accepted=True)

    assert backlog.confirms.count == 3
    assert backlog.confirms.total == (2_000 + 4_000 + 3_000) / 1e6


def test_what_goes_out_again_is_timed_anew() -> None:
    """After a lost connection only the time on the next one counts."""
    backlog = Backlog()
    backlog.add(parcel(SYMBOLS[0], 1))
    backlog.take(1_000)
    backlog.disconnect()
    backlog.take(7_000_000)
    backlog.settle(1, 7_001_000, multiple=False, accepted=True)

    assert (backlog.confirms.count, backlog.confirms.total) == (1, 0.001)
