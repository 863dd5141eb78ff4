"""Which ticks are traced: one of every so many, as they go to the broker.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class Sampling:
    """Chooses one tick of each run of *every* ticks, anywhere in it.

    *dice* returns a whole number from 0 up to below its argument.  A fixed distance would see the same few symbols
    again and again wherever the feed has a rhythm.
    """

    def __init__(self, every: int, dice: Callable[[int], int]) -> None:
        self._every, self._dice = every, dice
        self._passed = self._began = 0
        self._chosen = dice(every)

    def choose(self, lengths: Sequence[int]) -> list[int]:
        """Return which of the next messages carry a chosen tick; *lengths* are their numbers of ticks."""
        found: list[int] = []
        ticks = sum(lengths)
        if self._passed + ticks <= self._chosen:  # nearly always
            self._passed += ticks
            return found
        for index, ticks in enumerate(lengths):
            self._passed += ticks
            if self._passed > self._chosen:
                found.append(index)
                self._go_on()
        return found

    def _go_on(self) -> None:
        while self._passed > self._chosen:
            self._began += self._every
            self._chosen = self._began + self._dice(self._every)
