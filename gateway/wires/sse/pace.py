"""The pace of streams: each is written to at most ten times a second.  Pure.

Each event carries the place in all symbols, so a hundred small ones a second would be mostly ids.  What comes
during a rest gathers in the outbox and becomes one event.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

M = TypeVar("M")

PACE_S: Final = 0.1
"""Least seconds between two writes to one stream; the last one, before its end, does not wait."""


class Pace(Generic[M]):
    """Who rests, and until when.  Times in seconds of one clock that never goes back."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: dict[M, float] = {}
        """All rests are as long, so who began first ends first: a dict's own order."""

    def __len__(self) -> int:
        return len(self._ends)

    def rest(self, member: M, now: float) -> None:
        """*member* was written to at *now*."""
        self._ends.pop(member, None)
        self._ends[member] = now + PACE_S

    def resting(self, member: M) -> bool:
        """Whether *member* must not be written to yet."""
        return member in self._ends

    def forget(self, member: M) -> None:
        """*member* is gone."""
        self._ends.pop(member, None)

    @property
    def next(self) -> float | None:
        """When the next rest ends; None: nobody rests."""
        return next(iter(self._ends.values()), None)

    def rested(self, now: float) -> list[M]:
        """Take out those whose rest is over."""
        over = []
        for member, end in self._ends.items():
            if end > now:
                break
            over.append(member)
        for member in over:
            del self._ends[member]
        return over
