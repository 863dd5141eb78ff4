"""A symbol's trading day, as far as it has gone.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from services.market.position import Position


class Day(NamedTuple):
    """The day's first, highest and lowest trade, and what was traded, up to the tick at *at*.

    A day begins with the tick whose `volume` (of the day) is below that of the tick before: so the feed says it
    itself, whatever calendar it follows.  Prices are whole numbers of 10**-decimals, None before the day's first
    trade (a tick with `size` 0 changes the quote only and is no trade).
    """

    began: int
    """Event time of the day's first tick that was seen, microseconds since 1970."""
    open: int | None
    high: int | None
    low: int | None
    volume: int
    decimals: int
    at: Position
