"""The composition root of the canary, and the way on which events reach its observer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry

import tickwire_client as client
from services.errors import BadInput
from services.market.symbol import Symbol
from services.runtime.clock import Clock
from services.telemetry.operations import Probe, operations
from tickwire.canary.metrics import CanaryMetrics
from tickwire.canary.observer import Observer
from tickwire.canary.reason import Reason, of_ending, of_refusal
from tickwire.canary.settings import CanarySettings
from tickwire.canary.visitor import VISIT_S, Visitor
from tickwire.watch import Target
from tickwire_client import Feed, Status
from tickwire_client.events import CONNECTED
from tickwire_client.hooks import Callbacks

RETRY_S: Final = 10.0
"""Seconds until the next attempt after a refusal, and until a rejected symbol is asked for again."""
PING_S: Final = 5.0
"""Seconds between two pings: the best of the last 16 is at most 80 s old; 20 ppm of drift are 1.6 ms then."""
LOGGED: Final = 20
"""Most violations of one connection that are logged; all are counted."""
_log = structlog.get_logger("tickwire.canary")


async def run(
    settings: CanarySettings,
    target: Target,
    symbols: Sequence[Symbol],
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stop: asyncio.Event,
    started: Callable[[int], None] | None = None,
    retry_s: float = RETRY_S,
    visit_s: float = VISIT_S,
) -> None:
    """Follow *symbols* and say what comes until *stop*; *started* is called with the operations port.

    Raises:
        CannotListen: the port is taken or not ours.
    """
    observer = Observer(symbols, clock.monotonic())
    metrics = CanaryMetrics(observer, clock)
    registry.register(metrics)

    def ready() -> Probe:
        return Probe(*observer.readiness(clock.monotonic()))

    try:
        async with operations(settings.ops_host, settings.ops_port, registry=registry, ready=ready) as port:
            if started is not None:
                started(port)
            _log.info("canary.started", url=target.url, symbols=len(symbols), ops_port=port)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(Canary(target, symbols, observer, clock, retry_s).run(), name="canary"),
                    tasks.create_task(Visitor(target, observer, clock, visit_s).run(), name="visitor"),
                ]
                await stop.wait()
                for each in running:
                    each.cancel()
    finally:
        registry.unregister(metrics)
    _log.info("canary.stopped")


class Canary:
    """Brings what the client says to *observer*, and goes on whatever happens."""

    def __init__(
        self, target: Target, symbols: Sequence[Symbol], observer: Observer, clock: Clock, retry_s: float
    ) -> None:
        self._target, self._symbols, self._retry_s = target, symbols, retry_s
        self._observer, self._clock = observer, clock
        self._logged = 0

    async def run(self) -> None:
        """Be connected for ever."""
        while True:
            try:
                await self._connected()
            except client.Refused as error:
                self._ended(of_refusal(error), str(error))
            except BadInput as error:  # the file of authorities is gone
                self._ended(Reason.TLS, str(error))
            await asyncio.sleep(self._retry_s)

    async def _connected(self) -> None:
        """Be connected until a gateway refuses.

        Raises:
            Refused: it did.
            BadInput: the authorities to trust cannot be read.
        """
        target = self._target
        trust = await asyncio.to_thread(target.trust)
        async with client.connect(
            target.url, token=target.bearer, ssl=trust, timeout=None, ping_s=PING_S, **self._callbacks()
        ) as feed:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for symbol in self._symbols:
                        tasks.create_task(self._follow(feed, symbol), name=f"canary {symbol}")
            except ExceptionGroup as group:  # all symbols end with what ended the feed
                raise group.exceptions[0] from None

    async def _follow(self, feed: Feed, symbol: Symbol) -> None:
        while True:
            cursor = self._observer.cursor(symbol)
            resume = {} if cursor is None else {str(symbol): client.Position(*cursor)}
            try:
                async with feed.subscribe(symbol, resume=resume) as ticks:
                    async for _ in ticks:
                        pass  # the observer has seen its frame
            except client.NotFollowed as error:
                if self._observer.rejected(symbol):
                    _log.warning("canary.symbol_rejected", symbol=symbol, reason=error.reason)
            await asyncio.sleep(self._retry_s)

    # --------------------------------------------------------------------------------------- what the client says

    def _callbacks(self) -> Callbacks:
        observer, clock = self._observer, self._clock
        return Callbacks(
            on_attempt=lambda _: observer.attempting(clock.monotonic()),
            on_certificate=self._certified,
            on_connection=lambda _: self._opened(),
            on_command=lambda text: observer.said(text, clock.wall_us()),
            on_frame=self._heard,
            on_status=self._changed,
        )

    def _certified(self, certificate: Mapping[str, Any]) -> None:
        self._observer.certified(ssl.cert_time_to_seconds(certificate["notAfter"]))

    def _opened(self) -> None:
        self._logged = 0
        self._observer.opened()

    def _heard(self, text: str) -> None:
        clock = self._clock
        for violation in self._observer.heard(text, clock.monotonic(), clock.wall_us()):
            self._logged += 1
            if self._logged <= LOGGED:
                _log.error("canary.violation", session=self._observer.session, **violation.fields())
            if self._logged == LOGGED:
                _log.error("canary.violations_unlogged", session=self._observer.session)

    def _changed(self, status: Status) -> None:
        if status.shard is not None:
            return
        if status.feed == CONNECTED:
            _log.info("canary.connected", session=self._observer.session)
        else:
            self._ended(of_ending(status.how, status.code), status.reason or "")

    def _ended(self, reason: Reason, sentence: str) -> None:
        """Log how it ended, unless the attempt before ended the same way."""
        if self._observer.ended(reason):
            event = "canary.refused" if reason.final else "canary.disconnected"
            _log.warning(event, reason=reason.value, because=sentence)
