"""The agenda: what is to be looked at, and when.  Pure; the caller owns the clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Agenda:
    """Actions by time.  An action that has become pointless looks for itself and does nothing."""

    __slots__ = ("_entries", "_serials")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []
        self._serials = count()

    def at(self, time: float, action: Callable[[float], None]) -> None:
        """Call *action* with the time then, at *time*; those of one time in the order in which they came."""
        heapq.heappush(self._entries, (time, next(self._serials), action))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def next(self) -> float | None:
        """When `due` has something to do; None: nothing is on the agenda."""
        return self._entries[0][0] if self._entries else None

    def due(self, now: float) -> None:
        """Do everything whose time has come, also what is added meanwhile."""
        while self._entries and self._entries[0][0] <= now:
            heapq.heappop(self._entries)[2](now)
