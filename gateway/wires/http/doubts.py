"""Positions that clients ask from and nobody knows: at first they count as ahead of us, then as unknown.  Pure.

The gateway that a client asked before may have been ahead of history by some milliseconds.  But a position of a
log that is gone, or one that was made up, would be answered with nothing for ever, and nobody would say why.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from services.market.position import Position
from services.market.symbol import Symbol

DOUBT_S: Final = 5.0
"""Seconds until a position that is still above everything known counts as unknown, as on the native wire."""
FORGET_S: Final = 60.0
"""Seconds after which a doubt is begun anew: it was of another time."""
MOST_DOUBTS: Final = 1_000
"""Doubts at once; the oldest goes, and its client waits once more."""


class Doubts:
    """When each doubtful position was first asked from.  Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._since: OrderedDict[tuple[Symbol, Position], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._since)

    def unknown(self, symbol: Symbol, after: Position, now: float) -> bool:
        """Whether *after*, which is above everything known of *symbol*, has been for `DOUBT_S`; note it else."""
        key = (symbol, after)
        since = self._since.get(key)
        if since is None or now >= since + FORGET_S:
            self._since.pop(key, None)
            self._since[key] = now
            if len(self._since) > MOST_DOUBTS:
                self._since.popitem(last=False)
            return False
        return now >= since + DOUBT_S
