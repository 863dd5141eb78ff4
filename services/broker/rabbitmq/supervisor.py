"""Keeps one connection standing: dials the addresses in turn, for ever, and says why one was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

import structlog
from aiormq.exceptions import AMQPError
from yarl import URL

from services.broker.backoff import Backoff, jitter
from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason
from services.broker.rabbitmq.addresses import shown
from services.broker.rabbitmq.frames import Event
from services.broker.rabbitmq.link import Link, dial, is_cancelled
from services.broker.rabbitmq.losses import Lost
from services.errors import BrokerUnavailable
from services.runtime.clock import Clock

Serve = Callable[[Link, Callable[[], None]], Coroutine[Any, Any, NoReturn]]
"""Sets a link up and calls the given function once it is of use; raises why it ended."""


class Supervisor:
    """The reconnection of one role (`consume` or `publish`): no state of what travels, only of the attempts."""

    def __init__(self, addresses: Sequence[URL], role: str, *, clock: Clock, metrics: BrokerMetrics) -> None:
        self._addresses, self._role, self._clock, self._metrics = addresses, role, clock, metrics
        self._backoff = Backoff(jitter)
        self._said: LostReason | None = None
        self._since: float | None = None
        self._log = structlog.get_logger("tickwire.broker").bind(role=role)

    async def run(
        self,
        serve: Serve,
        lost: Callable[[LostReason], None],
        observe: Callable[[Event], None],
    ) -> None:
        """Connect and *serve*, call *lost* after each end or failed attempt; ends by cancellation only."""
        attempt = 0
        while True:
            address = self._addresses[attempt % len(self._addresses)]
            attempt += 1
            try:
                reason = await self._once(address, serve, observe)
            finally:
                self._metrics.connected.labels(self._role).set(0)
                self._metrics.blocked.labels(self._role).set(0)
            lasted = 0.0 if self._since is None else self._clock.monotonic() - self._since
            self._since = None
            lost(reason)
            await asyncio.sleep(self._backoff.after(lasted, denied=reason is LostReason.AUTH))

    async def _once(self, address: URL, serve: Serve, observe: Callable[[Event], None]) -> LostReason:
        try:
            async with dial(address, self._clock, observe, traffic=self._metrics.traffic[self._role]) as link:
                try:
                    await serve(link, lambda: self._stands(address))
                except Exception as error:
                    if link.open and not isinstance(error, BrokerUnavailable | AMQPError):
                        raise  # our own mistake, which trying again would only hide
                    raise link.verdict(error) from error
                except asyncio.CancelledError as error:
                    if is_cancelled():
                        raise
                    raise link.verdict(error) from error
        except Lost as lost:
            self._say(address, lost)
            return lost.reason

    def _stands(self, address: URL) -> None:
        self._since, self._said = self._clock.monotonic(), None
        self._metrics.connected.labels(self._role).set(1)
        self._log.info("broker.connected", address=shown(address))

    def _say(self, address: URL, lost: Lost) -> None:
        self._metrics.reconnects.labels(self._role, lost.reason.value).inc()
        if lost.reason is not self._said:  # an outage is one line, not one per attempt
            self._said = lost.reason
            event = "broker.lost" if self._since is not None else "broker.unreachable"
            self._log.warning(event, address=shown(address), reason=lost.reason.value, detail=str(lost))
