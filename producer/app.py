"""The composition root of the producer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry

from producer.maker import Maker
from producer.metrics import ProducerMetrics
from producer.pacing import default_interval_ms
from producer.publisher import Publisher
from producer.settings import ProducerSettings
from producer.sources.simulation import Simulation
from producer.sources.source import Source
from producer.sources.universe import load
from services.broker.ports import TickSink
from services.runtime.clock import Clock
from services.telemetry.operations import Probe, operations

_log = structlog.get_logger("tickwire.producer")


async def run(
    settings: ProducerSettings,
    sink: TickSink,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stop: asyncio.Event,
    started: Callable[[int], None] | None = None,
) -> None:
    """Produce until *stop*; return once the broker has confirmed everything, or `drain_s` seconds later.

    *started* is called with the operations port as soon as that answers.

    Raises:
        BadSymbolFile: `settings.symbols` names a file that breaks a rule; nothing was opened.
    """
    listings = await asyncio.to_thread(load, settings.symbols)
    source = Simulation(settings.seed, listings, settings.rate)
    publisher = Publisher(sink, clock, settings.shard)
    interval_ms = settings.pacing_ms or default_interval_ms(settings.rate)
    maker = Maker(source, publisher, clock, round(interval_ms * 1000))
    metrics = ProducerMetrics(publisher, maker)
    registry.register(metrics)
    try:
        async with operations(
            settings.ops_host, settings.ops_port, registry=registry, ready=lambda: readiness(publisher, stop)
        ) as port:
            if started is not None:
                started(port)
            await _produce(source, sink, publisher, maker, clock=clock, stop=stop, drain_s=settings.drain_s)
    finally:
        registry.unregister(metrics)


def readiness(publisher: Publisher, stop: asyncio.Event) -> Probe:
    """Ready from the first connection on, whatever becomes of it, until *stop*."""
    if stop.is_set():
        return Probe(ok=False, reason="draining")
    if not publisher.epoch:
        return Probe(ok=False, reason="the broker was not reached yet")
    return Probe(ok=True, reason="ready")


def choose_epoch(wall_us: int, newest: int | None) -> int:
    """Return the epoch of a run that begins at *wall_us*, where *newest* is the last one known."""
    return max(wall_us // 1000, 1 if newest is None else newest + 1)


async def _produce(
    source: Source,
    sink: TickSink,
    publisher: Publisher,
    maker: Maker,
    *,
    clock: Clock,
    stop: asyncio.Event,
    drain_s: float,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        connection = tasks.create_task(sink.run(publisher), name="sink")
        making = tasks.create_task(_make(source, sink, publisher, maker, clock), name="make")
        await stop.wait()
        making.cancel()
        await asyncio.wait([making])
        await _drain(publisher, drain_s)
        connection.cancel()


async def _make(source: Source, sink: TickSink, publisher: Publisher, maker: Maker, clock: Clock) -> None:
    """Choose the epoch, then make ticks.

    The broker is asked first, and waited for: ticks under an epoch that the log has passed already would be
    dropped by every reader, since a clock that went back must not make a run look older than the last one.
    """
    newest = await sink.newest_epoch([instrument.symbol for instrument in source.instruments(0)])
    wall = clock.wall_us()
    epoch = choose_epoch(wall, newest)
    publisher.begin(epoch, source.instruments(wall))
    _log.info("producer.begun", epoch=epoch, last_epoch=newest)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(maker.make(), name="ticks")
        tasks.create_task(maker.beat(), name="beat")


async def _drain(publisher: Publisher, drain_s: float) -> None:
    """Wait for the last confirm: a publisher that closed without lost 192 of its last 100,000 messages."""
    backlog = publisher.backlog
    try:
        async with asyncio.timeout(drain_s):
            await publisher.settled()
            publisher.farewell()
            await publisher.settled()
    except TimeoutError:
        _log.warning("producer.gave_up", unconfirmed=backlog.unconfirmed, waiting=backlog.waiting)
    counts = backlog.counts
    _log.info("producer.ended", confirmed=counts.confirmed, refused=counts.refused, lost=counts.lost)
