"""The ticks that wait for one subscription's reader.  Pure; times are monotonic seconds.

Bounded: once *limit* ticks wait and the reader had its chance (`full`, then `conflate`), the newest tick of each
symbol replaces the one before it, with `skipped`, until the reader has taken everything.  So a reader that cannot
keep up gets the newest prices and the number of those it did not get, and holds up nobody else.

A subscription slower than what the wire brings is paced the same way: the first tick of a symbol at once, then at
most one per interval, the last one before a pause always.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from tickwire_client.tick import Tick

LIMIT: Final = 8192
"""Ticks that may wait, and those of one frame (about 430) more: some 8 MB."""


class Buffer:
    """See the module.  *conflated*: ticks that others stand for."""

    __slots__ = ("_intervals", "_paced", "_parked", "_ready", "_turns", "conflated", "conflating", "limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.conflating, self.conflated = limit, False, 0
        self._ready: deque[Tick] = deque()
        self._parked: dict[str, Tick] = {}
        self._intervals: dict[str, float | None] = {}
        self._paced = False
        self._turns: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._ready) + len(self._parked)

    @property
    def full(self) -> bool:
        """Whether the reader should be given a chance before more comes."""
        return not self.conflating and len(self._ready) >= self.limit

    def pace(self, intervals: Mapping[str, float | None]) -> None:
        """From now on at most one tick per so many seconds, by symbol; None: all; `*`: of those not named."""
        self._intervals = dict(intervals)
        self._paced = any(interval is not None for interval in intervals.values())
        self._turns = {symbol: at for symbol, at in self._turns.items() if self._interval(symbol) is not None}

    def conflate(self) -> None:
        """The reader had its chance: until everything is taken, only the newest of each symbol waits."""
        self.conflating = True

    def discard(self) -> None:
        """Nobody reads any more."""
        self._ready.clear()
        self._parked.clear()

    def offer(self, tick: Tick, now: float) -> None:
        """Take a tick that came at *now*."""
        if not self.conflating and not self._paced:
            self._ready.append(tick)
            return
        symbol = tick.symbol
        if (parked := self._parked.pop(symbol, None)) is not None:
            self.conflated += 1
            tick = tick.standing_for(parked.skipped + 1)
        elif not self.conflating and now >= self._turns.get(symbol, 0):
            self._pass(symbol, tick, now)
            return
        self._parked[symbol] = tick

    def take(self, now: float) -> Tick | None:
        """Return the next tick; None: none is due."""
        if not self._ready and self._parked:
            self._release(now)
        if self._ready:
            return self._ready.popleft()
        if not self._parked:
            self.conflating = False
        return None

    def ready(self) -> Tick | None:
        """The same without a look at the clock, for where nothing is held back: a tenth of the cost per tick."""
        return self._ready.popleft() if self._ready else None

    def due(self) -> float | None:
        """When the next tick that is held back may be taken; None: none is held back."""
        return min((self._turns.get(symbol, 0) for symbol in self._parked), default=None)

    def _release(self, now: float) -> None:
        for symbol in [symbol for symbol in self._parked if self._turns.get(symbol, 0) <= now]:
            self._pass(symbol, self._parked.pop(symbol), now)

    def _pass(self, symbol: str, tick: Tick, now: float) -> None:
        self._ready.append(tick)
        if (interval := self._interval(symbol)) is not None:
            self._turns[symbol] = now + interval

    def _interval(self, symbol: str) -> float | None:
        return self._intervals.get(symbol, self._intervals.get("*"))
