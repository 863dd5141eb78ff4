"""`services.history.chart`: up to which position the candles count, and which of them may lack trades."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.history.chart import SETTLE_S, Chart
from services.history.holes import HOLES, Holes
from services.market.position import Position
from tests.unit.services.history.ticks import MINUTE, NOON, SECOND, message, tick


def fresh(*trades: tuple[int, float, int], epoch: int = 1) -> Chart:
    """A chart of *trades* (seq, at, size), read from long before the first."""
    chart = Chart(seconds=100, minutes=100)
    for seq, at, size in trades:
        read(chart, seq, at, size, epoch=epoch)
    return chart


def read(chart: Chart, seq: int, at: float, size: int = 1, *, epoch: int = 1) -> None:
    """Let *chart* read one tick of price 100 as it comes."""
    line = tick(seq, at, 100, size, seq)
    chart.count(message(seq, line, epoch=epoch, published=at), 1, at, NOON - 600 * SECOND)


def partial(chart: Chart, step: int) -> list[float]:
    """The starts of the candles that may lack trades, in seconds after noon."""
    starts = [row.start for row in chart.rows(step, 0, 100)]
    return [(start - NOON) / SECOND for start in chart.partial(step, starts)]


def test_the_position_is_that_of_the_newest_tick() -> None:
    """`at` is the last tick's position, whether it was a trade or not; None before the first."""
    assert fresh().at is None
    assert fresh((1, 0.5, 1), (2, 0.6, 0)).at == Position(1, 2)


def test_the_clock_is_the_second_that_grows() -> None:
    """The clock is the latest time in whole seconds, which a quote advances and an earlier time does not."""
    assert fresh((1, 3.5, 1)).clock == NOON + 3 * SECOND
    assert fresh((1, 3.5, 1), (2, 7.2, 0), (3, 5.0, 1)).clock == NOON + 7 * SECOND


def test_a_settled_minute_is_behind_the_clock() -> None:
    """Where a minute was finished for want of a later tick, the clock is at its end."""
    chart = fresh((1, 3.5, 1))
    chart.settle(3.5 + SETTLE_S)
    assert chart.clock == NOON + MINUTE


def test_nothing_is_partial_where_each_tick_was_read() -> None:
    """Ticks without a hole, also over a change of epoch, leave no candle in doubt."""
    chart = fresh((1, 1, 1), (2, 2, 1), (3, 61, 1))
    read(chart, 1, 65, epoch=2)
    assert partial(chart, 1) == partial(chart, 60) == []


def test_lost_ticks_leave_candles_in_doubt() -> None:
    """Each candle between the tick before a hole and the one behind it may lack trades, ends included."""
    chart = fresh((1, 1, 1), (2, 2, 1), (5, 4, 1), (6, 5, 1), (7, 65, 1))
    assert partial(chart, 1) == [2, 4]
    assert partial(chart, 60) == [0]


def test_a_run_whose_first_ticks_are_lost() -> None:
    """A later epoch that does not begin with its first tick has lost some."""
    chart = fresh((1, 1, 1), (2, 2, 1))
    read(chart, 2, 4, epoch=2)
    assert partial(chart, 1) == [2, 4]


def test_what_was_skipped_is_in_doubt_where_ticks_lack() -> None:
    """After a part of the log was missed only a tick that follows the last one proves that nothing lacks."""
    whole = fresh((1, 1, 1))
    whole.resume(NOON + 2 * SECOND)
    read(whole, 2, 2)
    assert partial(whole, 1) == []
    torn = fresh((1, 1, 1))
    torn.resume(NOON + 2 * SECOND)
    read(torn, 1, 2, epoch=2)
    assert partial(torn, 1) == [1, 2]


def test_where_reading_began() -> None:
    """The second and the minute in the middle of which reading began may lack trades."""
    chart = Chart(seconds=100, minutes=100)
    for seq, at in ((1, 10.5), (2, 10.7), (3, 13), (4, 70)):
        line = tick(seq, at, 100, 1, seq)
        chart.count(message(seq, line, published=at), 1, at, NOON + 10 * SECOND + SECOND // 2)
    assert partial(chart, 1) == [10]
    assert partial(chart, 60) == [0]


def test_a_minute_of_a_replica_that_is_ahead_is_not_told() -> None:
    """A minute that another replica has stored and that still grows here counts only what was read here."""
    chart = fresh((1, 1, 1), (2, 2, 1))
    (row,) = chart.rows(60, 0, 9)
    chart.add(row._replace(volume=99, trades=99))
    assert chart.rows(60, 0, 9) == [row]


def test_a_day_that_begins_within_a_second_cuts_no_candle() -> None:
    """The second in which a day begins counts the trades of both days while it grows."""
    chart = fresh()
    for seq, at, volume in ((1, 1.1, 50), (2, 1.2, 51), (3, 1.3, 1)):
        line = tick(seq, at, 100, 1, volume)
        chart.count(message(seq, line, published=at), 1, at, NOON - SECOND)
    assert [row.trades for row in chart.rows(1, 0, 9)] == [3]
    assert [row.trades for row in chart.rows(60, 0, 9)] == [3]


@given(st.lists(st.integers(0, 5), max_size=3 * HOLES))
def test_no_hole_is_forgotten(steps: list[int]) -> None:
    """Whatever lies in a hole is doubted, however many there are."""
    holes, at, known = Holes(), 0, list[tuple[int, int]]()
    for step in steps:
        at += 10
        holes.add(at, at + step + 1)
        known.append((at, at + step + 1))
    assert all(holes.touch(first, 1) and holes.touch(end - 1, 1) for first, end in known)
    assert not holes.touch(0, 10)
