"""The common market factor: the path that every symbol follows by its beta.  Pure.

A Brownian path in activity time (see `day`), one step per second, straight between steps.  It depends on the
seed alone, so each symbol reads the same market whoever else is traded.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

from producer.sources.day import DAY_S
from producer.sources.stream import stream

MARKET_VOLATILITY: Final = 0.16
"""Of the market's return, per square root of a year: the long-run figure for large US stocks."""
DAYS_PER_YEAR: Final = 252
YEAR_S: Final = DAYS_PER_YEAR * DAY_S
"""Activity seconds of one year."""


class Factor:
    """The path from activity 0 on.  It remembers what lies after the activity given to `forget`."""

    __slots__ = ("_begins", "_gauss", "_levels")

    def __init__(self, seed: int) -> None:
        self._gauss = stream(seed, "market").gauss
        self._begins = 0
        self._levels = [0.0, 0.0]
        self._levels[1] = self._step()

    def level(self, activity: float) -> float:
        """The logarithm of the market's level at *activity* seconds, which must not be forgotten."""
        levels = self._levels
        place = activity - self._begins
        index = int(place)
        while index + 1 >= len(levels):
            levels.append(levels[-1] + self._step())
        below = levels[index]
        return below + (levels[index + 1] - below) * (place - index)

    def forget(self, before: float) -> None:
        """Drop what lies before activity *before*."""
        spare = int(before) - self._begins
        while spare >= len(self._levels) - 1:
            # A jump over hours is one step at a time: the path must not depend on who asks when.
            kept = self._levels[-1]
            spare -= len(self._levels) - 1
            self._begins += len(self._levels) - 1
            self._levels = [kept, kept + self._step()]
        if spare > 0:
            del self._levels[:spare]
            self._begins += spare

    def _step(self) -> float:
        return self._gauss(-0.5 * MARKET_VOLATILITY**2 / YEAR_S, MARKET_VOLATILITY / sqrt(YEAR_S))
