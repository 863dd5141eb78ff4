"""Whose turn comes when: the conflating followers of one symbol, by the time of their next tick.  Pure."""

from __future__ import annotations

import heapq

from gateway.follower import Follower


class Turns:
    """A schedule that holds each follower at most once."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Follower]] = []

    def __bool__(self) -> bool:
        return bool(self._heap)

    def schedule(self, follower: Follower, at: float) -> None:
        """Give *follower* a turn at *at*, unless it has one already."""
        if not follower.turn_due:
            follower.turn_due = True
            heapq.heappush(self._heap, (at, follower.serial, follower))

    def cancel(self, follower: Follower) -> None:
        """Take *follower*'s turn away."""
        if follower.turn_due:
            follower.turn_due = False
            self._heap = [entry for entry in self._heap if entry[2] is not follower]
            heapq.heapify(self._heap)

    @property
    def next(self) -> float | None:
        """When the next turn is."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> Follower | None:
        """Take out a follower whose turn has come; None: nobody's has."""
        if not self._heap or self._heap[0][0] > now:
            return None
        follower = heapq.heappop(self._heap)[2]
        follower.turn_due = False
        return follower
