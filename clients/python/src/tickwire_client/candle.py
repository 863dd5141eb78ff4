"""Candles as the client hands them out.  Pure."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tickwire_client import dataframe

if TYPE_CHECKING:
    import pandas as pd

PRICES: Final = ("open", "high", "low", "close")
COLUMNS: Final = ("symbol", "interval", "start", "epoch", *PRICES, "volume", "trades", "partial")
INTERVALS: Final = ("1s", "1m")
"""The lengths of candles that there are: a second and a minute."""
HISTORY: Final = (0, 500)
"""Least and most candles to begin with."""


@dataclass(frozen=True, slots=True)
class Candle:
    """What the trades of one symbol did during one interval; prices as the wire spelled them.

    Attributes:
        start: when it begins, microseconds since 1970 UTC.
        epoch: of its last trade.
        volume: traded during the candle.
        partial: it may lack trades: nobody knows of all ticks of its time.
    """

    symbol: str
    interval: str
    start: int
    epoch: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    trades: int
    partial: bool = False

    @classmethod
    def of(cls, symbol: str, interval: str, row: Mapping[str, Any]) -> Candle:
        """Return the candle in a frame, whose prices are text."""
        opened, high, low, close = (Decimal(row[name]) for name in ("open", "high", "low", "close"))
        return cls(
            *(symbol, interval, int(row["start"]), int(row["epoch"]), opened, high, low, close),
            *(int(row["volume"]), int(row["trades"]), bool(row.get("partial", False))),
        )


@dataclass(frozen=True, slots=True)
class CandleUpdate:
    """Candles that began or changed, oldest first; the last one may still grow.

    *reset*: they replace all that came before.  Else each replaces the one with the same `start`, or is new.
    """

    symbol: str
    interval: str
    candles: tuple[Candle, ...]
    reset: bool

    def to_dataframe(self, *, decimal: bool = False) -> pd.DataFrame:
        """Return the candles as a frame of pandas: `start` in UTC, prices as floats, or exact `Decimal`.

        Raises:
            MissingExtra: pandas is not installed.
        """
        rows: dict[str, Sequence[Any]] = {
            name: [getattr(candle, name) for candle in self.candles] for name in COLUMNS
        }
        if not decimal:
            rows |= {name: array("d", map(float, rows[name])) for name in PRICES}
        return dataframe.ticks(rows)


@dataclass(frozen=True, slots=True)
class CandleRejection:
    """The gateway will not serve the candles of *symbol*."""

    symbol: str
    interval: str
    reason: str
