"""Candles as an answer.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

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
MOST_DRAWN: Final = 64
"""Answers with candles that are remembered as they are written, 55 KB each at most; the one not asked for goes."""
SIZES: Final = (100, 300, 500)
"""How many candles history is asked for: who asks for 90 and for 100 is told the same answer."""

_HEAD: Final = ("start", "time", "epoch", "open", "high", "low", "close", "volume", "trades", "complete")


def asked(limit: int) -> int:
    """Return how many candles history is asked for where a client wants *limit*."""
    return next((size for size in SIZES if size >= limit), SIZES[-1])


class Drawing:
    """Answers with candles as they are written: 2 µs a candle, and many ask for the same chart."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[CandlesQuery, Form], tuple[Sequence[Candle], bool, Content]] = {}

    def content(self, query: CandlesQuery, found: Sequence[Candle], form: Form, now_us: int) -> Content:
        """Return the newest of *found* as an answer; *now_us*: microseconds since 1970."""
        settled = bool(found) and _is_settled(found[-1], now_us)
        drawn = self._drawn.pop((query, form), None)
        if drawn is None or drawn[0] is not found or drawn[1] is not settled:
            drawn = (found, settled, candles(query, found, form, now_us))
        self._drawn[query, form] = drawn
        if len(self._drawn) > MOST_DRAWN:
            del self._drawn[next(iter(self._drawn))]
        return drawn[2]


def candles(query: CandlesQuery, found: Sequence[Candle], form: Form, now_us: int) -> Content:
    """Return the newest of *found* as an answer; *now_us*: microseconds since 1970."""
    told = list(_completed(found[-query.limit :], now_us))
    body = rows([_HEAD, *map(_row, told)]) if form is Form.CSV else _json(query, told)
    return Content((body,), form, f"candles-{query.symbol}-{query.interval}", CANDLES_S)


def _is_settled(candle: Candle, now_us: int) -> bool:
    return candle.start + (candle.step + SETTLED_S) * 1_000_000 <= now_us


def _completed(found: Sequence[Candle], now_us: int) -> Iterator[tuple[Candle, bool]]:
    """Yield each candle, and whether it can never change: only the last one may still grow."""
    last = len(found) - 1
    for index, candle in enumerate(found):
        yield candle, index < last or _is_settled(candle, now_us)


def _json(query: CandlesQuery, told: Sequence[tuple[Candle, bool]]) -> bytes:
    entries = ",".join(map(_entry, told))
    return f'{{"symbol":"{query.symbol}","interval":"{query.interval}","candles":[{entries}]}}'.encode()


def _entry(told: tuple[Candle, bool]) -> str:
    candle, complete = told
    opened, high, low, close = _prices(candle)
    return (
        f'{{"start":{candle.start},"epoch":{candle.epoch},"open":{opened},"high":{high},"low":{low},'
        f'"close":{close},"volume":{candle.volume},"trades":{candle.trades},"complete":{_truth(complete)}}}'
    )


def _truth(value: bool) -> str:  # noqa: FBT001 - what is written
    return "true" if value else "false"


def _row(told: tuple[Candle, bool]) -> Sequence[object]:
    candle, complete = told
    prices = _prices(candle)
    return (
        candle.start,
        moment(candle.start),
        candle.epoch,
        *prices,
        candle.volume,
        candle.trades,
        _truth(complete),
    )


def _prices(candle: Candle) -> tuple[str, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    return tuple(format_price(price, candle.decimals) for price in prices)
