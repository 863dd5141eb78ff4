"""One wheel of deadlines for all clients, instead of timers for each.  Pure.

A timer per client costs a heap of timers: Centrifugo's shared wheel brought 200,000 idle connections from 0.94 to
0.41 of a core.
"""

from __future__ import annotations

import math
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SLOTS: Final = 128
"""Turns of the wheel that a deadline can lie ahead; a later one comes up early and is set again."""


class Wheel(Generic[T]):
    """Items by the turn in which they are due.  One turn is *step* seconds; *now* is seconds, monotonic."""

    def __init__(self, step: float, now: float) -> None:
        self.step = step
        self._turn = math.floor(now / step)
        self._slots: list[set[T]] = [set() for _ in range(SLOTS)]
        self._where: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._where)

    def put(self, item: T, due: float) -> None:
        """Let *item* come up in the turn after *due*, instead of when it was to come up before."""
        self.drop(item)
        ahead = min(max(math.ceil(due / self.step) - self._turn, 1), SLOTS - 1)
        slot = (self._turn + ahead) % SLOTS
        self._slots[slot].add(item)
        self._where[item] = slot

    def drop(self, item: T) -> None:
        """Forget *item*."""
        slot = self._where.pop(item, None)
        if slot is not None:
            self._slots[slot].discard(item)

    def due(self, now: float) -> list[T]:
        """Turn the wheel to *now* and return, and forget, what came up."""
        target = math.floor(now / self.step)
        found: list[T] = []
        for turn in range(self._turn + 1, min(target, self._turn + SLOTS) + 1):
            slot = self._slots[turn % SLOTS]
            found.extend(slot)
            slot.clear()
        self._turn = max(self._turn, target)
        for item in found:
            del self._where[item]
        return found
