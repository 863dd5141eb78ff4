"""How late the passes of the schedule were.  Pure."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final

EDGES: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds; from a tenth of the shortest default interval to past the limit at which ticks are skipped."""


class Lags:
    """A histogram of delays, in plain integers: `prometheus_client`'s own costs four times as much per pass."""

    def __init__(self) -> None:
        self._counts = [0] * (len(EDGES) + 1)
        self.total = 0.0
        """Sum of all delays, in seconds."""

    def note(self, seconds: float) -> None:
        """A pass was *seconds* late; on time is 0."""
        self._counts[bisect_left(EDGES, seconds)] += 1
        self.total += seconds

    @property
    def cumulative(self) -> list[int]:
        """How many delays were at most each of EDGES, and at last how many there were."""
        return list(accumulate(self._counts))
