"""Ticks that were kept, column by column: 250 bytes each, where a `Tick` takes about 1 KB.  Pure."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tickwire_client import dataframe
from tickwire_client.events import Gap
from tickwire_client.tick import Tick

if TYPE_CHECKING:
    import pandas as pd

ROWS: Final = 1_000_000
"""Ticks that a recording without a bound in ticks holds, some 250 MB; then it ends, and is `full`."""
_WHOLE: Final = ("epoch", "seq", "ts", "size", "bid_size", "ask_size", "volume", "skipped", "received")
_PRICES: Final = ("price", "bid", "ask")
COLUMNS: Final = (
    *("symbol", "epoch", "seq", "ts", "price", "size", "bid", "ask", "bid_size", "ask_size", "volume"),
    *("skipped", "snapshot", "received", "latency"),
)
GAP_COLUMNS: Final = ("symbol", "epoch", "first", "last", "reason", "final")


class Recording:
    """Ticks in the order of their coming, and what did not come.

    Attributes:
        gaps: ticks of its symbols that are not coming.
        full: whether it ended because `ROWS` ticks were in it, before its time.
    """

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.full = False
        self._symbols: list[str] = []
        self._whole = {name: array("q") for name in _WHOLE}
        self._prices: dict[str, list[str]] = {name: [] for name in _PRICES}
        self._snapshots = bytearray()
        self._latencies = array("d")

    def __len__(self) -> int:
        return len(self._symbols)

    def __repr__(self) -> str:
        return f"<Recording of {len(self)} ticks, {len(self.gaps)} gaps>"

    def add(self, tick: Tick) -> None:
        """Keep *tick*."""
        self._symbols.append(tick.symbol)
        for name, kept in self._whole.items():
            kept.append(getattr(tick, name))
        for name, prices in self._prices.items():
            prices.append(str(tick.fields[name]))
        self._snapshots.append(tick.snapshot)
        self._latencies.append(tick.latency)

    def missed(self, gap: Gap) -> None:
        """Keep *gap*; may be given as `on_gap`."""
        self.gaps.append(gap)

    @property
    def skipped(self) -> int:
        """Ticks that conflation left out between those that are here."""
        return sum(self._whole["skipped"])

    def columns(self, *, decimal: bool = False) -> dict[str, Sequence[Any]]:
        """Return the columns by name, times as microseconds since 1970 UTC: what `polars.DataFrame` takes, too.

        *decimal*: prices as `Decimal`, exact and with the wire's decimals; otherwise as floats.
        """
        kept: dict[str, Sequence[Any]] = {
            "symbol": list(self._symbols),
            **{name: values[:] for name, values in self._whole.items()},
            **{name: _exact(texts) if decimal else _floats(texts) for name, texts in self._prices.items()},
            "snapshot": [bool(flag) for flag in self._snapshots],
            "latency": self._latencies[:],
        }
        return {name: kept[name] for name in COLUMNS}

    def gap_columns(self) -> dict[str, Sequence[Any]]:
        """Return the gaps' columns by name; `last` None: up to the next tick that is a snapshot."""
        return {name: [getattr(gap, name) for gap in self.gaps] for name in GAP_COLUMNS}

    def to_dataframe(self, *, decimal: bool = False) -> pd.DataFrame:
        """Return the ticks as a frame of pandas: `ts` and `received` in UTC, to the microsecond; `latency` in s.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return dataframe.ticks(self.columns(decimal=decimal))

    def gaps_to_dataframe(self) -> pd.DataFrame:
        """Return the gaps as a frame of pandas.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return dataframe.gaps(self.gap_columns())


def _exact(texts: Sequence[str]) -> Sequence[Decimal]:
    return [Decimal(text) for text in texts]


def _floats(texts: Sequence[str]) -> Sequence[float]:
    return array("d", map(float, texts))
