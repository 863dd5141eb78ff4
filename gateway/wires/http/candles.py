"""Candles as an answer.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from gateway.wires.http.answer import Content
from gateway.wires.http.query import CandlesQuery, Form
from gateway.wires.http.table import moment, rows
from services.market.candle import Candle
from services.market.wire import format_price

CANDLES_S: Final = 1
"""Seconds that caches may answer with candles: the last one may grow with each trade."""
SETTLED_S: Final = 70
"""Seconds after its end when the last candle is complete though no later tick is known: history finishes it 65 s
after its first trade, and clocks may disagree."""
SIZES: Final = (100, 300, 500)
"""How many candles history is asked for: who asks for 90 and for 100 is told the same answer."""

_HEAD: Final = ("start", "time", "epoch", "open", "high", "low", "close", "volume", "trades", "complete")


def asked(limit: int) -> int:
    """Return how many candles history is asked for where a client wants *limit*."""
    return next((size for size in SIZES if size >= limit), SIZES[-1])


def candles(query: CandlesQuery, found: Sequence[Candle], form: Form, now_us: int) -> Content:
    """Return the newest of *found* as an answer; *now_us*: microseconds since 1970."""
    told = list(_completed(found[-query.limit :], now_us))
    body = rows([_HEAD, *map(_row, told)]) if form is Form.CSV else _json(query, told)
    return Content((body,), form, f"candles-{query.symbol}-{query.interval}", CANDLES_S)


def _completed(found: Sequence[Candle], now_us: int) -> Iterator[tuple[Candle, bool]]:
    """Yield each candle, and whether it can never change: only the last one may still grow."""
    last = len(found) - 1
    for index, candle in enumerate(found):
        settled = candle.start + (candle.step + SETTLED_S) * 1_000_000 <= now_us
        yield candle, index < last or settled


def _json(query: CandlesQuery, told: Sequence[tuple[Candle, bool]]) -> bytes:
    fields = {"symbol": query.symbol, "interval": query.interval, "candles": [_fields(*each) for each in told]}
    return orjson.dumps(fields)


def _fields(candle: Candle, complete: bool) -> dict[str, Any]:  # noqa: FBT001 - of a pair
    opened, high, low, close = map(orjson.Fragment, _prices(candle))
    return {
        "start": candle.start,
        "epoch": candle.epoch,
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "volume": candle.volume,
        "trades": candle.trades,
        "complete": complete,
    }


def _row(told: tuple[Candle, bool]) -> Sequence[object]:
    candle, complete = told
    prices = _prices(candle)
    end = "true" if complete else "false"
    return (candle.start, moment(candle.start), candle.epoch, *prices, candle.volume, candle.trades, end)


def _prices(candle: Candle) -> tuple[str, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    return tuple(format_price(price, candle.decimals) for price in prices)
