"""The loop that makes ticks when they are due, and the one that beats once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from producer.pacing import Pacing
from producer.publisher import Publisher
from producer.sources.source import Source
from services.runtime.clock import Clock
from services.telemetry.histogram import Histogram

BEAT_S: Final = 1.0
LAG_SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
"""Buckets of delays: from a tenth of the shortest default interval to past the limit beyond which ticks are
skipped."""
QUIET_S: Final = 10.0
"""Seconds without a skip after which the next one is worth a line in the log again."""

Sleep = Callable[[float], Awaitable[None]]

_log = structlog.get_logger("tickwire.producer")


class Maker:
    """Takes ticks from a source by schedule and offers them to *publisher*; *interval* in microseconds."""

    def __init__(self, publisher: Publisher, clock: Clock, interval: int, *, sleep: Sleep = asyncio.sleep) -> None:
        self._publisher, self._clock = publisher, clock
        self._interval, self._sleep = interval, sleep
        self._last_skip = float("-inf")
        self.lags = Histogram(LAG_SECONDS)
        self.skipped = 0
        """Ticks that were never made since the loop was too late."""
        self.clock_steps = 0

    async def make(self, source: Source) -> None:
        """Make a run's ticks until cancelled, the first of every symbol at once."""
        pacing = Pacing(self._interval, self._now(), self._clock.wall_us())
        steps = self.clock_steps
        while True:
            self._turn(source, pacing)
            self.clock_steps = steps + pacing.clock_steps
            await self._sleep(pacing.wait(self._now(), source.next_due()) / 1e6)

    async def beat(self) -> None:
        """Beat once a second until cancelled; a beat that comes late moves no later one."""
        due = self._clock.monotonic()
        while True:
            self._publisher.beat()
            due = max(due + BEAT_S, self._clock.monotonic())
            await self._sleep(due - self._clock.monotonic())

    def _turn(self, source: Source, pacing: Pacing) -> None:
        turn = pacing.turn(self._now(), self._clock.wall_us())
        self.lags.observe(pacing.lag / 1e6)
        if turn.skip is not None:
            self._skip(source.skip(turn.skip), pacing.lag / 1e6)
        self._publisher.offer(source.due(turn.until, turn.base))

    def _skip(self, ticks: int, lag: float) -> None:
        self.skipped += ticks
        now = self._clock.monotonic()
        if now - self._last_skip > QUIET_S:
            _log.warning("producer.late", lag_s=round(lag, 3), skipped=ticks)
        self._last_skip = now

    def _now(self) -> int:
        return int(self._clock.monotonic() * 1e6)
