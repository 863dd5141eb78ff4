"""The composition roots of the processes that meet at a RabbitMQ."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

import gateway.app
import producer.app
import services.history.app
import tickwire.canary.app
from gateway.settings import GatewaySettings
from producer.settings import ProducerSettings
from services.broker.metrics import BrokerMetrics
from services.broker.rabbitmq import (
    RabbitAdmission,
    RabbitDesk,
    RabbitHistory,
    RabbitLease,
    RabbitSink,
    RabbitSource,
    RabbitTickLog,
)
from services.broker.rabbitmq.trust import trusting
from services.errors import BadSettings
from services.history.settings import HistorySettings
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from services.runtime.settings import ProcessSettings, variable
from services.telemetry.build import BuildInfo, Process
from services.telemetry.lag import LoopLag
from services.telemetry.loop import LoopCollector
from services.telemetry.pauses import GcPauses
from tickwire.canary.settings import CanarySettings
from tickwire.watch import Target


def produce(settings: ProducerSettings) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return the main of a producer.

    Raises:
        BadSettings: the broker's address is of no use for this.
    """
    url = broker_url(settings)

    async def main(stop: asyncio.Event) -> None:
        clock, registry = SystemClock(), new_registry(Process.PRODUCER)
        metrics = BrokerMetrics(registry)
        await producer.app.run(
            settings,
            RabbitSink(url, name="producer", clock=clock, metrics=metrics),
            lease=RabbitLease(url, shard=settings.shard, name="producer", clock=clock, metrics=metrics),
            history=RabbitHistory(url, name="producer", clock=clock, metrics=metrics),
            clock=clock,
            registry=registry,
            stop=stop,
        )

    return main


def serve(settings: GatewaySettings) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return the main of a gateway.

    Raises:
        BadSettings: the broker's address is of no use for this.
    """
    url = broker_url(settings)

    name = "gateway" if settings.worker is None else f"gateway {settings.worker}"

    async def main(stop: asyncio.Event) -> None:
        if settings.worker is not None:
            _end_with_parent(stop)
        clock, registry = SystemClock(), new_registry(Process.GATEWAY)
        metrics = BrokerMetrics(registry)
        source = RabbitSource(url, name=name, clock=clock, metrics=metrics)
        history = RabbitHistory(url, name=name, clock=clock, metrics=metrics)
        admission = RabbitAdmission(url, name=name, clock=clock, metrics=metrics)
        await gateway.app.run(
            settings, source, history, clock=clock, registry=registry, stop=stop, admission=admission
        )

    return main


def remember(settings: HistorySettings) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return the main of a history.

    Raises:
        BadSettings: the broker's address is of no use for this.
    """
    url = broker_url(settings)

    async def main(stop: asyncio.Event) -> None:
        clock, registry = SystemClock(), new_registry(Process.HISTORY)
        metrics = BrokerMetrics(registry)
        log = RabbitTickLog(url, name="history log", clock=clock, metrics=metrics)
        desk = RabbitDesk(url, name="history desk", clock=clock, metrics=metrics)
        await services.history.app.run(settings, log, desk, clock=clock, registry=registry, stop=stop)

    return main


def follow(
    settings: CanarySettings, target: Target, symbols: Sequence[Symbol]
) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return the main of a canary."""

    async def main(stop: asyncio.Event) -> None:
        logging.getLogger("tickwire_client").setLevel(logging.WARNING)  # the canary says each change once
        clock, registry = SystemClock(), new_registry(Process.CANARY)
        await tickwire.canary.app.run(settings, target, symbols, clock=clock, registry=registry, stop=stop)

    return main


def _end_with_parent(stop: asyncio.Event) -> None:
    """Set *stop* once standard input ends: it is a pipe from the process that started this worker."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(0)
        stop.set()

    loop.add_reader(0, ended)


def new_registry(process: Process) -> CollectorRegistry:
    """Return a registry that already measures *process* itself.

    Memory, CPU and file descriptors; the delays of the loop, which must run, and of the garbage collector.
    """
    registry, clock = CollectorRegistry(), SystemClock()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    LoopCollector(registry)
    LoopLag(registry, clock).start()
    GcPauses(registry, clock).start()
    BuildInfo(registry, process)
    return registry


def broker_url(settings: ProcessSettings) -> str:
    """Return the broker's addresses, each with whom to trust.

    Raises:
        BadSettings: the broker is `memory://`, or the authority's certificates are of no use.
    """
    refuse_memory(settings)
    return trusting(settings.broker_url, settings.broker_ca)


def refuse_memory(settings: ProcessSettings) -> None:
    """Refuse the broker that processes cannot share.

    Raises:
        BadSettings: the broker is `memory://`.
    """
    if settings.broker_url.startswith("memory:"):
        name = variable("broker_url")
        raise BadSettings(
            [
                f"{name} is memory://, which lives inside one process (`tickwire demo`), but must be amqp:// or amqps://"
            ]
        )
