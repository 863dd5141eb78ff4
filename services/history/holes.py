"""Stretches of time of one symbol whose ticks were not read, or are not in the log.  Pure."""

from __future__ import annotations

from typing import Final

HOLES: Final = 64
"""Most stretches that are known; of more the two oldest become one, so rather too much is doubted."""


class Holes:
    """Stretches [first, end) in microseconds, in the order of their ticks."""

    __slots__ = ("_holes",)

    def __init__(self) -> None:
        self._holes: list[tuple[int, int]] = []

    def add(self, first: int, end: int) -> None:
        """Ticks lack between these times."""
        self._holes.append((first, end))
        if len(self._holes) > HOLES:
            (first, _), (_, end), *others = self._holes
            self._holes = [(first, end), *others]

    def touch(self, start: int, length: int) -> bool:
        """Whether ticks lack between *start* and *length* later."""
        return any(start < end and first < start + length for first, end in self._holes)
