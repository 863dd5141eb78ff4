"""`services.history.charts`."""

from __future__ import annotations

from services.history.charts import DAY_MINUTES, HOUR_SECONDS, Charts
from services.history.series import CANDLE_BYTES
from services.market.candle import MINUTE, SECOND, Candle
from services.market.symbol import Symbol
from tests.unit.services.history import ticks
from tests.unit.services.history.ticks import NOON, A, B, message, tick


def candle(symbol: Symbol, minute: int) -> Candle:
    """A stored candle."""
    return Candle(symbol, MINUTE, NOON + minute * ticks.MINUTE, NOON, 1, 1, 9, 1, 5, 7, 3, 2)


def test_symbols_are_kept_apart() -> None:
    """Each symbol's finished candles carry its name; an unknown symbol or step has none."""
    charts = Charts(10**8)
    earlier = Symbol("X")
    charts.count(message(1, tick(1, -10, 1, 1, 1, symbol=earlier), symbol=earlier, published=-10), 1, 0.0)
    for symbol in (A, B):
        for seq, at in ((1, 1.0), (2, 61.0)):
            line = tick(seq, at, 100, 1, seq, symbol=symbol)
            charts.count(message(seq, line, symbol=symbol, published=at), 1, at)
    assert [(c.symbol, c.start) for c in charts.finished()] == [(A, NOON), (B, NOON)]
    assert [c.start for c in charts.candles(B, SECOND, 0, 9)] == [NOON + ticks.SECOND, NOON + 61 * ticks.SECOND]
    assert charts.candles(Symbol("C"), SECOND, 0, 9) == ()
    assert charts.candles(A, 5, 0, 9) == ()


def test_stored_candles_are_counted() -> None:
    """A stored candle counts as read, and when it comes again as repeated; one of a second is ignored."""
    charts = Charts(10**8)
    for c in (candle(A, 0), candle(A, 0), candle(A, 1), candle(A, 2)._replace(step=SECOND)):
        charts.add(c)
    assert (charts.read, charts.repeated) == (2, 1)
    assert list(charts.candles(A, MINUTE, 0, 9)) == [candle(A, 0), candle(A, 1)]


def test_candles_of_all_symbols_are_bounded() -> None:
    """More symbols have fewer candles each, so that all together stay within the bytes."""
    most = 2_000 * CANDLE_BYTES
    charts = Charts(most)
    for n in range(200):
        for minute in range(40):
            charts.add(candle(Symbol(f"S{n}"), minute))
        assert charts.bytes <= most
    assert charts.candles(Symbol("S199"), MINUTE, 0, 99)[-1] == candle(Symbol("S199"), 39)


def test_shares() -> None:
    """With bytes enough each symbol has an hour of seconds and a day of minutes."""
    charts = Charts(10**9)
    charts.add(candle(A, 0))
    chart = charts.get(A)
    assert chart is not None
    assert (chart.seconds.most, chart.minutes.most) == (HOUR_SECONDS, DAY_MINUTES)
