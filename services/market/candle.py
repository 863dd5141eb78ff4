"""A candle: what the trades of one symbol did during one second or one minute.  Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.market.symbol import Symbol

SECOND: Final = 1
MINUTE: Final = 60
STEPS: Final = (SECOND, MINUTE)
"""The lengths of candles that history keeps, in seconds."""
INTERVALS: Final = {"1s": SECOND, "1m": MINUTE}
"""How clients call them."""


class Candle(NamedTuple):
    """First, highest, lowest and last trade between *start* and *start* + *step*, and what was traded.

    Prices are whole numbers of 10**-decimals.  Ticks with `size` 0 are no trades and do not count.
    """

    symbol: Symbol
    step: int
    """Seconds; one of `STEPS`."""
    start: int
    """Microseconds since 1970, a multiple of the step."""
    day: int
    """`Day.began` of the day that it belongs to."""
    epoch: int
    """Of its last trade."""
    open: int
    high: int
    low: int
    close: int
    volume: int
    """Traded during the candle, not the day's."""
    trades: int
    decimals: int
