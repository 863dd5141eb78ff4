"""A tick: one trade or quote change of one symbol."""

from __future__ import annotations

from typing import NamedTuple

from services.market.symbol import Symbol


class Tick(NamedTuple):
    """One event of one symbol.  Prices are whole numbers of 10**-decimals, so arithmetic on them is exact.

    *ts* is the event's time in microseconds since 1970 UTC.  *size* 0 means that only the quote changed.
    *volume* is the day's.
    """

    seq: int
    ts: int
    symbol: Symbol
    price: int
    size: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int
    volume: int
    decimals: int
