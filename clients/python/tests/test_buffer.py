"""The buffer between a connection and one reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tickwire_client.buffer import Buffer
from tickwire_client.tick import Arrival, Tick


def _tick(symbol: str, seq: int, skipped: int = 0) -> Tick:
    return Tick({"symbol": symbol, "seq": seq}, Arrival(0, 0, 0), 7, skipped)


def _all(buffer: Buffer, now: float = 0.0) -> list[tuple[str, int, int]]:
    found = []
    while (tick := buffer.take(now)) is not None:
        found.append((tick.symbol, tick.seq, tick.skipped))
    return found


def test_in_order() -> None:
    """What fits comes out as it went in."""
    buffer = Buffer()
    for seq in (1, 2, 3):
        buffer.offer(_tick("A", seq), 0)

    assert _all(buffer) == [("A", 1, 0), ("A", 2, 0), ("A", 3, 0)]


def test_full_then_conflated() -> None:
    """A full buffer that had its chance keeps the newest of each symbol until everything is taken."""
    buffer = Buffer(2)
    for seq in (1, 2):
        buffer.offer(_tick("A", seq), 0)
    assert buffer.full
    buffer.conflate()
    for seq in (3, 4, 5):
        buffer.offer(_tick("A", seq, skipped=seq == 4), 0)
    buffer.offer(_tick("B", 9), 0)
    assert (len(buffer), buffer.conflated) == (4, 2)
    assert _all(buffer) == [("A", 1, 0), ("A", 2, 0), ("A", 5, 3), ("B", 9, 0)]

    for seq in (6, 7):
        buffer.offer(_tick("A", seq), 0)
    assert _all(buffer) == [("A", 6, 0), ("A", 7, 0)]


def test_paced() -> None:
    """The first tick comes at once, then one per interval, and the last one before a pause always."""
    buffer = Buffer()
    buffer.pace({"A": 0.5, "B": None})
    for seq, now in ((1, 0.0), (2, 0.1), (3, 0.2)):
        buffer.offer(_tick("A", seq), now)
        buffer.offer(_tick("B", seq), now)

    assert _all(buffer, 0.3) == [("A", 1, 0), ("B", 1, 0), ("B", 2, 0), ("B", 3, 0)]
    assert buffer.due() == 0.5
    assert _all(buffer, 0.5) == [("A", 3, 1)]
    buffer.offer(_tick("A", 4), 2.0)
    assert _all(buffer, 2.0) == [("A", 4, 0)]


def test_pace_of_everything() -> None:
    """The pace of `*` is that of every symbol without one of its own."""
    buffer = Buffer()
    buffer.pace({"*": 1.0, "B": None})
    for seq in (1, 2):
        buffer.offer(_tick("A", seq), 0)
        buffer.offer(_tick("B", seq), 0)

    assert _all(buffer) == [("A", 1, 0), ("B", 1, 0), ("B", 2, 0)]


def test_pace_taken_away() -> None:
    """What a pace held back is due once the pace is gone."""
    buffer = Buffer()
    buffer.pace({"A": 10.0})
    for seq in (1, 2):
        buffer.offer(_tick("A", seq), 0)
    buffer.pace({"A": None})

    assert _all(buffer, 0) == [("A", 1, 0), ("A", 2, 0)]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 3), st.booleans()), max_size=60))
def test_accounts_for_every_tick(steps: list[tuple[str, int, bool]]) -> None:
    """However slowly it is read and whatever its pace, seq minus what was skipped says that nothing is missing."""
    buffer, now, offered = Buffer(3), 0.0, {"A": 0, "B": 0}
    buffer.pace({"A": 1.0})
    taken: list[Tick] = []
    for symbol, reads, conflate in steps:
        now += 0.2
        offered[symbol] += 1
        if buffer.full and conflate:
            buffer.conflate()
        buffer.offer(_tick(symbol, offered[symbol]), now)
        taken += [tick for _ in range(reads) if (tick := buffer.take(now)) is not None]
    now += 100
    while (tick := buffer.take(now)) is not None:
        taken.append(tick)

    for symbol, count in offered.items():
        last = 0
        for tick in (one for one in taken if one.symbol == symbol):
            assert tick.seq == last + 1 + tick.skipped
            last = tick.seq
        assert last == count
