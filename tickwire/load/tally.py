"""What the simulated clients got, all together (PURE)."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from tickwire.load.plan import Kind

MOST_ENDINGS: Final = 20
"""Different endings of a connection that are counted apart, by kind and code; the others are `other`."""


class Tally:
    """Counts since the start; `figures` says how fast they grow."""

    def __init__(self, now: float) -> None:
        self.ticks: Counter[Kind] = Counter()
        self.skipped: Counter[Kind] = Counter()
        self.gaps: Counter[str] = Counter()
        self.complaints: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        """Connections that ended, or never stood, though their client wanted them, by how and code."""
        self.violations = 0
        self.welcomes = 0
        """Connections that stood."""
        self._connected: set[int] = set()
        self._then, self._ticks_then = now, 0

    @property
    def connected(self) -> int:
        """Clients that are connected."""
        return len(self._connected)

    def welcomed(self, number: int) -> None:
        """The client *number* is connected."""
        self.welcomes += 1
        self._connected.add(number)

    def gone(self, number: int, how: str = "", code: int | None = None) -> None:
        """The client *number* is not connected; without *how* because it wanted to go."""
        self._connected.discard(number)
        if how:
            ending = f"{how} {code}" if code else str(how)
            known = ending in self.ends or len(self.ends) < MOST_ENDINGS
            self.ends[ending if known else "other"] += 1

    def took(self, kind: Kind, ticks: int, skipped: int) -> None:
        """A client got *ticks*, and *skipped* more were left out for it."""
        self.ticks[kind] += ticks
        self.skipped[kind] += skipped

    def figures(self, now: float) -> dict[str, Any]:
        """Return what there is to say, with the rate since the last time."""
        ticks, passed = self.ticks.total(), now - self._then
        rate = (ticks - self._ticks_then) / passed if passed > 0 else 0.0
        self._then, self._ticks_then = now, ticks
        return {
            "connected": self.connected,
            "welcomes": self.welcomes,
            "ticks": ticks,
            "ticks_per_s": round(rate),
            "skipped": self.skipped.total(),
            "by_kind": {kind.value: self.ticks[kind] for kind in Kind},
            "gaps": dict(self.gaps),
            "violations": self.violations,
            "ends": dict(self.ends),
            "complaints": dict(self.complaints),
        }
