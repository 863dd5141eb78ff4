"""What was last published of each symbol: the marks of heartbeats, and the ticks to repeat.  Pure.

A mark names the last position that was handed to the sink.  What waits in the backlog has no mark yet, and what
was handed over is published again if its connection ends, before the next heartbeat: so a gateway that sees a
mark will get that tick, or learn from history that the broker refused it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from producer.grouping import Parcel
from services.broker.ports import Route
from services.market.symbol import Symbol

RECENT_US: Final = 3_000_000
"""How long after its last tick a symbol is in every heartbeat (`docs/architecture.md`)."""
SILENT_US: Final = 60_000_000
"""How long a symbol is silent before its last tick is published again, for the log, and then how often."""
FULL_EVERY: Final = 10
"""Every how many heartbeats all marks are told."""
REPEATS: Final = 100
"""Most repeats at one beat: 6,000 silent symbols a minute, and never a burst of all at once."""


class Marks:
    """The marks of one run of *symbols*; times are microseconds on the clock that never goes back."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self._symbols = tuple(symbols)
        self._last: dict[Symbol, Parcel] = {}
        self._touched: dict[Symbol, int] = {}
        self._stored: dict[Symbol, int] = {}
        self._beats = 0

    def note(self, parcels: Iterable[Parcel], now: int) -> None:
        """*parcels* were handed to the sink at *now*, perhaps again."""
        last, touched = self._last, self._touched
        for parcel in parcels:
            symbol = parcel.symbol
            known = last.get(symbol)
            if known is None or parcel.last >= known.last:
                last[symbol] = parcel
            # Moved to the end: the dict stays ordered by time, and a beat looks at recent symbols only.
            touched.pop(symbol, None)
            touched[symbol] = now
            self._stored.pop(symbol, None)
            self._stored[symbol] = now

    def connected(self) -> None:
        """A connection stands: the next heartbeat tells all marks."""
        self._beats = 0

    def beat(self, now: int) -> tuple[dict[Symbol, int], bool]:
        """Return the marks of this second's heartbeat, and whether they are those of all symbols."""
        full = self._beats % FULL_EVERY == 0
        self._beats += 1
        return (self.all() if full else self._recent(now)), full

    def all(self) -> dict[Symbol, int]:
        """The marks of all symbols; 0 where nothing was published yet."""
        return {symbol: self._last[symbol].last if symbol in self._last else 0 for symbol in self._symbols}

    def _recent(self, now: int) -> dict[Symbol, int]:
        marks: dict[Symbol, int] = {}
        for symbol in reversed(self._touched):
            if now - self._touched[symbol] > RECENT_US:
                break
            marks[symbol] = self._last[symbol].last
        return marks

    def repeats(self, now: int) -> list[Parcel]:
        """Return the last ticks of symbols silent for SILENT_US, longest silent first, at most REPEATS."""
        due: list[Parcel] = []
        for symbol, since in self._stored.items():
            if now - since < SILENT_US or len(due) == REPEATS:
                break
            due.append(self._last[symbol].newest(Route.LAST))
        return due

    def repeated(self, parcels: Iterable[Parcel], now: int) -> None:
        """*parcels*, which `repeats` returned, were handed to the sink at *now*."""
        for parcel in parcels:
            self._stored.pop(parcel.symbol, None)
            self._stored[parcel.symbol] = now
