"""`services.history.series`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.history.series import Row, Series


def row(start: int, *, epoch: int = 1, close: int = 5) -> Row:
    """A candle."""
    return Row(start, 0, epoch, 1, 9, 1, close, 7, 3, 2)


def test_a_candle_is_taken_in_once() -> None:
    """A candle of a name that is there is refused, or takes its place where that is asked for."""
    series = Series(10)
    assert series.add(row(60))
    assert not series.add(row(60, close=6))
    assert list(series) == [row(60)]
    assert series.add(row(60, close=6), replace=True)
    assert list(series) == [row(60, close=6)]
    assert series.add(row(60, epoch=2))
    assert series.has(row(60, epoch=2))
    assert not series.has(row(60, epoch=3))


def test_only_the_newest_stay() -> None:
    """A series never has more than its number and a sixteenth, and the oldest go."""
    series = Series(160)
    for start in range(1_000):
        series.add(row(start))
        assert len(series) <= 170
    assert [r.start for r in series.since(0, 3)] == [997, 998, 999]
    assert [r.start for r in series.since(998, 100)] == [998, 999]
    assert series.since(1_000, 5) == []


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 3)), max_size=60))
def test_candles_stand_in_order(names: list[tuple[int, int]]) -> None:
    """In whatever order candles come, they stand by start and epoch, each once."""
    series = Series(1_000)
    for start, epoch in names:
        series.add(row(start, epoch=epoch))
    assert [r.key for r in series] == sorted(set(names))
    assert all(r[3:] == row(0)[3:] for r in series)
