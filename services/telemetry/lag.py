"""How late an event loop is: the delay of a timer, over and over.  Whatever waits for the loop waits as long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final
from weakref import ref

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.runtime.clock import Clock
from services.telemetry import families
from services.telemetry.histogram import Histogram

PERIOD_S: Final = 0.1
"""Seconds of the timer."""
MOST_HELD_UP: Final = 600
"""Most timers that one delay counts for: a minute of them."""
LAG_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets, seconds: uvloop's timers are up to 1 ms late by design; after 10 s `/livez` has not answered either."""


class LoopLag(Collector):
    """The histogram of a loop's delays; `start` begins to take them, and the end of this object ends it."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self.delays = Histogram(LAG_SECONDS)
        registry.register(self)

    def start(self) -> None:
        """Take delays of the running loop from now on."""
        _wait(self, asyncio.get_running_loop())

    def now(self) -> float:
        """Return the time by which delays are taken; uvloop's own stands still within a turn of the loop."""
        return self._clock.monotonic()

    def late(self, seconds: float) -> None:
        """A timer was *seconds* late.

        The timers that this one held up count, too: else a loop that stands still for ten seconds would be one
        late timer among the hundred that are on time in the next ten.
        """
        self.delays.observe(max(0.0, seconds))
        held_up = min(int(seconds / PERIOD_S), MOST_HELD_UP)
        for missed in range(1, held_up + 1):
            self.delays.observe(max(0.0, seconds - missed * PERIOD_S))

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram."""
        meaning = "Delay of a timer of 100 ms; those that a late one held up count, too."
        yield families.histogram("tickwire_loop_lag_seconds", meaning, self.delays)


def _wait(lag: LoopLag, loop: asyncio.AbstractEventLoop) -> None:
    loop.call_later(PERIOD_S, _ring, ref(lag), loop, lag.now() + PERIOD_S)


def _ring(watched: ref[LoopLag], loop: asyncio.AbstractEventLoop, due: float) -> None:
    lag = watched()
    if lag is not None:
        lag.late(lag.now() - due)
        _wait(lag, loop)
