"""Marks name what was published; silent symbols are repeated."""

from __future__ import annotations

from producer.grouping import Parcel
from producer.marks import FULL_EVERY, REPEATS, Marks
from services.broker.ports import Outgoing, Route
from services.market.symbol import Symbol

A, B, C = (Symbol(name) for name in "ABC")
S = 1_000_000


def parcel(symbol: Symbol, first: int, length: int = 1) -> Parcel:
    """A parcel of lines that name their sequence."""
    body = b"\n".join(b"%d" % (first + n) for n in range(length))
    return Parcel(Outgoing(Route.TICK, symbol, f"7-{first}-99", body), symbol, 7, first, length, 99, 0)


def test_first_beat_tells_all() -> None:
    """The first heartbeat names every symbol of the shard, with 0 where nothing was published."""
    marks = Marks([A, B])
    marks.note([parcel(A, 1, 3)], 0)
    assert marks.beat(0) == ({A: 3, B: 0}, True)


def test_every_tenth_beat_tells_all() -> None:
    """Of any ten beats in a row one is full."""
    marks = Marks([A])
    assert [marks.beat(n * S)[1] for n in range(21)] == [n % FULL_EVERY == 0 for n in range(21)]


def test_beats_between_tell_who_ticked_in_the_last_three_seconds() -> None:
    """A symbol stays in the marks for 3 s after its last tick."""
    marks = Marks([A, B, C])
    marks.beat(0)
    marks.note([parcel(A, 1), parcel(B, 1)], 1 * S)
    marks.note([parcel(B, 2)], 2 * S)
    assert marks.beat(4 * S) == ({A: 1, B: 2}, False)
    assert marks.beat(4 * S + 1) == ({B: 2}, False)
    assert marks.beat(5 * S + 1) == ({}, False)


def test_a_new_connection_begins_with_a_full_beat() -> None:
    """After a connection was made the next heartbeat names all symbols."""
    marks = Marks([A])
    marks.beat(0)
    marks.connected()
    assert marks.beat(1) == ({A: 0}, True)


def test_a_repeat_after_a_lost_connection_lowers_no_mark() -> None:
    """Publishing an older parcel again makes its symbol recent, but leaves its mark."""
    marks = Marks([A])
    marks.beat(0)
    marks.note([parcel(A, 1), parcel(A, 2)], 0)
    marks.note([parcel(A, 1)], 9 * S)
    assert marks.beat(10 * S) == ({A: 2}, False)


def test_silent_symbols_are_repeated_each_minute() -> None:
    """A symbol silent for 60 s gets its last tick repeated, for the log only, and again a minute later."""
    marks = Marks([A, B])
    marks.note([parcel(A, 4, 2)], 0)
    marks.note([parcel(B, 1)], 30 * S)
    assert marks.repeats(60 * S - 1) == []
    due = marks.repeats(60 * S)
    assert [p.message for p in due] == [Outgoing(Route.LAST, A, "7-5-99", b"5")]
    assert marks.repeats(60 * S) == due, "what could not be sent stays due"
    marks.repeated(due, 60 * S)
    assert [p.symbol for p in marks.repeats(119 * S)] == [B]
    marks.repeated(marks.repeats(119 * S), 119 * S)
    assert [p.symbol for p in marks.repeats(120 * S)] == [A]


def test_a_tick_ends_the_silence() -> None:
    """A symbol that ticked is not repeated."""
    marks = Marks([A])
    marks.note([parcel(A, 1)], 0)
    marks.note([parcel(A, 2)], 59 * S)
    assert marks.repeats(60 * S) == []


def test_repeats_come_in_portions() -> None:
    """One beat repeats at most REPEATS symbols, those silent longest first."""
    symbols = [Symbol(f"S{n}") for n in range(REPEATS + 5)]
    marks = Marks(symbols)
    for place, symbol in enumerate(symbols):
        marks.note([parcel(symbol, 1)], place)
    first = marks.repeats(61 * S)
    assert [p.symbol for p in first] == symbols[:REPEATS]
    marks.repeated(first, 61 * S)
    assert [p.symbol for p in marks.repeats(61 * S)] == symbols[REPEATS:]
