"""The shell around `Leadership`: hears the lease, stops and starts the publisher, wakes who waits for a stage."""

from __future__ import annotations

import asyncio

import structlog

from producer.leadership import PATIENCE_S, Leadership, Stage
from producer.publisher import Publisher
from services.broker.lease import LeaseListener
from services.errors import LeaseTaken
from services.runtime.clock import Clock

_log = structlog.get_logger("tickwire.producer")


class Tenure(LeaseListener):
    """The `LeaseListener` of one producer."""

    def __init__(self, leadership: Leadership, publisher: Publisher, clock: Clock, shard: str) -> None:
        self._publisher, self._clock, self._shard = publisher, clock, shard
        self._news = asyncio.Event()
        self._stage = leadership.stage
        self.leadership = leadership
        publisher.lead(leads=False)

    def on_waiting(self) -> None:
        """See `LeaseListener`."""
        _log.info("producer.waiting", shard=self._shard)
        self.leadership.asked(self._clock.monotonic())
        self._tell()

    def on_held(self, epoch: int) -> None:
        """See `LeaseListener`."""
        self.leadership.held(epoch)
        self._tell()

    def on_lost(self) -> None:
        """See `LeaseListener`."""
        self.leadership.lost()
        self._tell()

    def begin(self, epoch: int) -> bool:
        """Begin a run under *epoch*, which the lease holds; False: it was lost, or has gone on, meanwhile."""
        begun = self.leadership.begin(epoch)
        self._tell()
        return begun

    def end(self) -> None:
        """The run that was over has ended."""
        self.leadership.ended()
        self._tell()

    async def reach(self, stage: Stage) -> None:
        """Return once *stage* is reached.

        Raises:
            LeaseTaken: another producer holds the lease, and this one was not told to wait for it.
        """
        while self.leadership.stage is not stage:
            if self.leadership.stage is Stage.DENIED:
                raise LeaseTaken(self._shard, PATIENCE_S)
            self._news.clear()
            try:
                async with asyncio.timeout(self.leadership.patience(self._clock.monotonic())):
                    await self._news.wait()
            except TimeoutError:
                self.leadership.due(self._clock.monotonic())
                self._tell()

    def _tell(self) -> None:
        before, stage = self._stage, self.leadership.stage
        self._stage = stage
        self._publisher.lead(leads=stage is Stage.LEADING)
        if before is Stage.SUSPENDED and stage is Stage.LEADING:
            _log.info("producer.resumed", epoch=self.leadership.epoch)
        elif stage is not before and stage in (Stage.SUSPENDED, Stage.OVER):
            _log.warning(f"producer.{stage.value}", epoch=self.leadership.epoch, lease_epoch=self.leadership.known)
        self._news.set()
