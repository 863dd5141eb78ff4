"""`services.history.chart`: candles and the day, also across a restart."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from services.history.chart import AHEAD_US, SETTLE_S, Chart
from services.history.series import Row
from tests.unit.services.history.ticks import MINUTE, NOON, SECOND, message, tick

KEEP_S = 120.0


class Trade(NamedTuple):
    """A tick of a random stream; *at* in seconds."""

    at: float
    price: int
    size: int
    volume: int
    epoch: int
    seq: int


def read(chart: Chart, trades: list[Trade], since: float) -> None:
    """Let *chart* read *trades* as they came; the first entry of all was published at *since*."""
    for t in trades:
        chart.settle(t.at)
        line = tick(t.seq, t.at, t.price, t.size, t.volume)
        chart.count(message(t.seq, line, epoch=t.epoch, published=t.at), 1, t.at, NOON + round(since * SECOND))


def fresh() -> Chart:
    """A chart with room for everything."""
    return Chart(seconds=10_000, minutes=10_000)


def counted(*trades: tuple[float, int, int, int]) -> Chart:
    """A chart of *trades* (at, price, size, volume), read from before the first."""
    chart = fresh()
    read(chart, [Trade(*t, epoch=1, seq=n) for n, t in enumerate(trades, 1)], since=-10)
    return chart


def minutes(chart: Chart) -> list[Row]:
    """All candles of a minute."""
    return chart.rows(60, 0, 10_000)


def test_a_candle_tells_its_trades() -> None:
    """First, highest, lowest, last, volume and number are those of the trades; quotes do not count."""
    chart = counted((1.0, 100, 5, 5), (1.2, 110, 1, 6), (1.4, 999, 0, 6), (1.6, 90, 2, 8), (1.9, 95, 3, 11))
    assert chart.rows(1, 0, 9) == [Row(NOON + SECOND, NOON + SECOND, 1, 100, 110, 90, 95, 11, 4, 2)]
    assert minutes(chart) == [Row(NOON, NOON + SECOND, 1, 100, 110, 90, 95, 11, 4, 2)]


def test_candles_without_trades_do_not_exist() -> None:
    """Seconds and minutes in which nothing traded have no candle."""
    chart = counted((0, 100, 1, 1), (5, 101, 1, 2), (200, 102, 1, 3))
    assert [(row.start - NOON) // SECOND for row in chart.rows(1, 0, 9)] == [0, 5, 200]
    assert [(row.start - NOON) // MINUTE for row in minutes(chart)] == [0, 3]


def test_the_newest_candles_from_a_time_on() -> None:
    """`since` cuts at the front, and so does the limit; a limit of 0 is nothing."""
    chart = counted(*((float(n), 100 + n, 1, n + 1) for n in range(10)))
    assert [row.open for row in chart.rows(1, NOON + 7 * SECOND, 9)] == [107, 108, 109]
    assert [row.open for row in chart.rows(1, 0, 2)] == [108, 109]
    assert chart.rows(1, 0, 0) == []


def test_time_that_goes_back_reopens_nothing() -> None:
    """A trade of an earlier time counts into what grows, and finished candles stay as they are."""
    chart = counted((10, 100, 1, 1), (70, 200, 1, 2))
    before = minutes(chart)[0]
    read(chart, [Trade(20, 300, 4, 6, 1, 3)], since=-10)
    assert minutes(chart)[0] == before
    assert minutes(chart)[1][3:9] == (200, 300, 200, 300, 5, 2)


def test_a_time_far_ahead_counts_as_a_little_ahead() -> None:
    """One wrong time of the far future does not swallow the trades that follow it."""
    chart = fresh()
    lines = (tick(1, 0, 100, 1, 1), tick(2, 1e7, 101, 1, 2))
    chart.count(message(1, *lines), 2, 0.0, NOON)
    chart.count(message(3, tick(3, 61, 102, 1, 3), published=61), 1, 61.0, NOON)
    assert [row.start - NOON for row in chart.rows(1, 0, 9)] == [0, AHEAD_US, 61 * SECOND]


def test_volume_that_falls_begins_a_day() -> None:
    """A tick with less volume than the one before begins the day anew, also within a minute."""
    chart = counted((1, 100, 5, 5), (2, 90, 5, 10), (3, 500, 0, 0), (4, 110, 2, 2), (5, 105, 1, 3))
    day = chart.day
    assert day == (NOON + 3 * SECOND, 110, 110, 105, 3, 2, (1, 5))
    # One candle for who looks at it, two for who adds them up.
    assert [row[3:9] for row in minutes(chart)] == [(100, 110, 90, 105, 13, 4)]


def test_a_day_without_trades_has_no_prices() -> None:
    """Quotes alone make a day with its volume, and no first, highest or lowest trade."""
    assert counted((1, 100, 0, 7)).day == (NOON + SECOND, None, None, None, 7, 2, (1, 1))
    assert fresh().day is None


def test_prices_with_more_decimals() -> None:
    """Where the feed changes its number of decimals, candle and day state all prices with the larger one."""
    chart = fresh()
    lines = (tick(1, 1, 100, 1, 1), tick(2, 1.1, 10_250, 1, 2, decimals=4), tick(3, 1.2, 99, 1, 3))
    chart.count(message(1, *lines), 3, 0.0, NOON - MINUTE)
    assert chart.rows(1, 0, 9)[0][3:] == (10_000, 10_250, 9_900, 9_900, 3, 3, 4)
    day = chart.day
    assert day is not None
    assert (day.open, day.high, day.low, day.decimals) == (10_000, 10_250, 9_900, 4)


def test_finished_minutes_are_handed_out_once() -> None:
    """A minute is to be stored when a tick of a later one is read, be that a quote, and only once."""
    chart = counted((1, 100, 1, 1), (59, 101, 1, 2))
    assert chart.finished() == []
    read(chart, [Trade(60, 1, 0, 2, 1, 3)], since=-10)
    assert [row[3:9] for row in chart.finished()] == [(100, 101, 100, 101, 2, 2)]
    assert chart.finished() == []


def test_a_minute_that_was_not_read_whole_is_not_stored() -> None:
    """Whoever begins to read within a minute does not store that minute, but shows what it has of it."""
    chart = fresh()
    trades = [Trade(30.0, 100, 1, 1, 1, 1), Trade(61.0, 101, 1, 2, 1, 2), Trade(121.0, 102, 1, 3, 1, 3)]
    read(chart, trades, since=29.0)
    assert [row.start - NOON for row in chart.finished()] == [MINUTE]
    assert [row.start - NOON for row in minutes(chart)] == [0, MINUTE, 2 * MINUTE]


def test_a_rare_symbol_s_first_minute_is_whole() -> None:
    """A symbol's first minute is stored where other symbols were read before the minute began."""
    chart = fresh()
    read(chart, [Trade(30.0, 100, 1, 1, 1, 1), Trade(61.0, 101, 1, 2, 1, 2)], since=-2.0)
    assert [row.start - NOON for row in chart.finished()] == [0]


def test_a_quiet_minute_is_finished_by_the_clock() -> None:
    """Without a later tick a minute is finished after `SETTLE_S`; a trade that still comes counts after it."""
    chart = counted((1, 100, 1, 1))
    chart.settle(SETTLE_S)
    assert chart.finished() == []
    chart.settle(1 + SETTLE_S)
    assert [row.start for row in chart.finished()] == [NOON]
    late = tick(2, 30, 105, 1, 2)
    chart.count(message(2, late, published=30), 1, 70.0, NOON - MINUTE)
    assert [(row.start - NOON, row.open) for row in minutes(chart)] == [(0, 100), (MINUTE, 105)]


def test_a_stored_candle_counts_once() -> None:
    """A stored candle is news once, replaces what we have of a minute in part, and nothing that we have whole."""
    chart = fresh()
    read(chart, [Trade(30, 100, 1, 50, 1, 1), Trade(61, 101, 1, 51, 1, 2), Trade(121, 9, 1, 52, 1, 3)], since=29)
    whole = Row(NOON, NOON, 1, 80, 120, 70, 100, 50, 7, 2)
    known = minutes(chart)[1]
    assert chart.add(whole)
    assert not chart.add(whole)
    assert not chart.add(known._replace(open=1))
    assert minutes(chart)[:2] == [whole, known]
    assert chart.day == (NOON, 80, 120, 9, 52, 2, (1, 3))


def test_another_day_s_candles_are_not_ours() -> None:
    """Stored candles of a day that traded more than the feed says now do not count into the day."""
    chart = fresh()
    assert chart.add(Row(NOON - 600 * MINUTE, NOON - 700 * MINUTE, 1, 1, 999, 1, 5, 5_000, 7, 2))
    read(chart, [Trade(30, 100, 1, 50, 1, 1)], since=29)
    day = chart.day
    assert day is not None
    assert (day.began, day.open, day.high, day.low) == (NOON + 30 * SECOND, 100, 100, 100)


@st.composite
def streams(draw: st.DrawFn) -> list[Trade]:
    """A few minutes of one symbol: quiet and busy spells, new runs, new days; time does not go back."""
    steps = st.tuples(
        st.floats(0.01, 40.0), st.integers(50, 150), st.integers(0, 5), st.sampled_from("tttttttttttttttttdr")
    )
    trades, at, volume, epoch, seq = list[Trade](), 0.5, 0, 1, 0
    for pause, price, size, what in draw(st.lists(steps, min_size=5, max_size=60)):
        at, seq = at + pause, seq + 1
        if what == "r":
            epoch, seq = epoch + 1, 1
        # A day begins with a minute of its own; one that begins within a minute begins with a run.
        if what == "d":
            at = (at // 60 + 1) * 60 + 0.001
        volume = size if what in "dr" and size < volume else volume + size
        trades.append(Trade(at, price, size, volume, epoch, seq))
    return trades


@given(streams(), st.data())
def test_a_restart_changes_nothing(trades: list[Trade], data: st.DataObject) -> None:
    """Stored candles and the last 120 s make the day and the minutes of a process that never stopped."""
    cut = data.draw(st.integers(1, len(trades)), label="cut")
    now = trades[cut - 1].at
    steady, stored = fresh(), list[Row]()
    read(steady, trades[:cut], since=-10)
    steady.settle(now)
    stored += steady.finished()
    again = [trade for trade in trades[:cut] if trade.at >= now - KEEP_S]
    late = data.draw(st.booleans(), label="candles come after the ticks")
    restarted = fresh()
    if not late:
        for row in stored:
            restarted.add(row)
    # The log holds entries of other symbols too, so that reading begins 120 s back exactly.
    for trade in again:
        line = tick(trade.seq, trade.at, trade.price, trade.size, trade.volume)
        first = NOON + round((now - KEEP_S) * SECOND)
        restarted.count(message(trade.seq, line, epoch=trade.epoch, published=trade.at), 1, now, first)
    if late:
        for row in stored:
            restarted.add(row)
    read(steady, trades[cut:], since=-10)
    read(restarted, trades[cut:], since=now - KEEP_S)
    own, other = steady.day, restarted.day
    assert own is not None
    assert other is not None
    assert other[1:] == own[1:]
    assert [row._replace(day=0) for row in minutes(restarted)] == [row._replace(day=0) for row in minutes(steady)]


@given(streams())
def test_candles_add_up(trades: list[Trade]) -> None:
    """Minutes and seconds are ascending, and together have every trade and every share once."""
    chart = fresh()
    read(chart, trades, since=-10)
    for step in (1, 60):
        rows = chart.rows(step, 0, 10_000)
        assert sum(row.trades for row in rows) == sum(trade.size > 0 for trade in trades)
        assert sum(row.volume for row in rows) == sum(trade.size for trade in trades)
        assert all(early.start < late.start for early, late in pairwise(rows))
