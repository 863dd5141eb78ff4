"""The account of one symbol: what became of each tick.  Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """Every tick since the subscription began is in one of these, whatever connections it took.

    Within one epoch: the cursor's seq - the first tick's seq + 1 = `delivered` + `skipped` + all of `missing`.
    """

    delivered: int = 0
    """Ticks that came."""
    skipped: int = 0
    """Ticks that the gateway left out because this connection conflates."""
    missing: Counter[str] = field(default_factory=Counter)
    """Ticks that are not coming, by reason."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Gaps over the end of an epoch, by reason: how many ticks they hold nobody can say."""
    repeated: int = 0
    """Ticks that came a second time, which nobody was handed."""
    violations: int = 0
    """Frames that broke the table of cursors."""

    def miss(self, reason: str, count: int) -> None:
        """*count* more ticks are not coming; below zero: none."""
        if count > 0:
            self.missing[reason] += count
