"""The composition root of the producer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Final, NamedTuple

import structlog
from prometheus_client import CollectorRegistry

from producer.continuity import Continuity, last_ticks
from producer.leadership import Leadership, Stage
from producer.maker import Maker
from producer.metrics import ProducerMetrics
from producer.pacing import default_interval_ms
from producer.publisher import Publisher
from producer.sampling import Sampling
from producer.settings import ProducerSettings
from producer.sources.simulation import Simulation
from producer.sources.universe import Listing, load
from producer.tenure import Tenure
from producer.traces import Traces
from services.broker.history import AbsentHistory, History
from services.broker.lease import Lease, SoleLease
from services.broker.ports import TickSink
from services.errors import BrokerUnavailable
from services.runtime.clock import Clock
from services.runtime.settings import variable
from services.telemetry.operations import Probe, operations
from services.telemetry.tracing import tracing

LOG_S: Final = 2.0
"""Longest wait for the log's newest epoch where the lease names one: every leader wrote its own into the lease
before its first tick, so the log is a second witness only."""

_log = structlog.get_logger("tickwire.producer")


class Parts(NamedTuple):
    """What one producer is made of."""

    settings: ProducerSettings
    listings: Sequence[Listing]
    sink: TickSink
    lease: Lease
    history: History
    clock: Clock
    publisher: Publisher
    maker: Maker
    tenure: Tenure


async def run(
    settings: ProducerSettings,
    sink: TickSink,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stop: asyncio.Event,
    lease: Lease | None = None,
    history: History | None = None,
    started: Callable[[int], None] | None = None,
) -> None:
    """Produce until *stop*; return once the broker has confirmed everything, or `drain_s` seconds later.

    *lease*: none where no other producer can be there.  *history*: none where no run goes on from the last one.
    *started* is called with the operations port as soon as that answers.

    Raises:
        BadSymbolFile: `settings.symbols` names a file that breaks a rule; nothing was opened.
        MissingRequirement: ticks are to be traced, and OpenTelemetry is not installed.
        LeaseTaken: another producer holds the lease of the shard, and `settings.standby` is false.
    """
    listings = await asyncio.to_thread(load, settings.symbols)
    publisher = Publisher(sink, clock, settings.shard)
    interval_ms = settings.pacing_ms or default_interval_ms(settings.rate)
    maker = Maker(publisher, clock, round(interval_ms * 1000))
    tenure = Tenure(Leadership(standby=settings.standby), publisher, clock, settings.shard)
    lease, history = lease or SoleLease(), history or AbsentHistory()
    parts = Parts(settings, listings, sink, lease, history, clock, publisher, maker, tenure)
    metrics = ProducerMetrics(publisher, maker, tenure.leadership)
    registry.register(metrics)
    try:
        async with (
            _traces(settings, clock) as publisher.traces,
            operations(
                settings.ops_host, settings.ops_port, registry=registry, ready=lambda: readiness(parts, stop)
            ) as port,
        ):
            if started is not None:
                started(port)
            await _produce(parts, stop)
    finally:
        registry.unregister(metrics)


@asynccontextmanager
async def _traces(settings: ProducerSettings, clock: Clock) -> AsyncIterator[Traces | None]:
    """Yield the spans of this producer, and end those that are left; None where nothing is to be traced."""
    every = settings.trace_every
    asked_by = variable("trace_every") if every else None
    async with tracing("producer", settings.broker_url, asked_by=asked_by) as tracer:
        if tracer is None:
            yield None
            return
        traces = Traces(tracer, Sampling(every, Random().randrange))  # noqa: S311 - which ticks is no secret
        try:
            yield traces
        finally:
            traces.discard(clock.wall_us())


def readiness(parts: Parts, stop: asyncio.Event) -> Probe:
    """Ready from the first run on, whatever becomes of it, or as a standby, until *stop*."""
    leadership = parts.tenure.leadership
    if stop.is_set():
        return Probe(ok=False, reason="draining")
    if parts.publisher.epoch:
        return Probe(ok=True, reason="ready")
    if leadership.waits:
        return Probe(ok=parts.settings.standby, reason="standby" if parts.settings.standby else "no lease yet")
    return Probe(ok=False, reason="the broker was not reached yet")


def choose_epoch(wall_us: int, *known: int | None) -> int:
    """Return the epoch of a run that begins at *wall_us*, where *known* are the last ones, as far as known."""
    return max(wall_us // 1000, 1, *(epoch + 1 for epoch in known if epoch is not None))


async def _produce(parts: Parts, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        connections = [
            tasks.create_task(parts.sink.run(parts.publisher), name="sink"),
            tasks.create_task(parts.history.run(), name="history"),
            tasks.create_task(parts.lease.run(parts.tenure), name="lease"),
        ]
        leading = tasks.create_task(_lead(parts), name="lead")
        await stop.wait()
        leading.cancel()
        await asyncio.wait([leading])
        if parts.tenure.leadership.stage is Stage.OVER:
            parts.publisher.end()
        await _drain(parts.publisher, parts.settings.drain_s)
        for connection in connections:
            connection.cancel()


async def _lead(parts: Parts) -> None:
    """Run after run: wait for the lease, choose a later epoch, make ticks until the run is over."""
    while True:
        await parts.tenure.reach(Stage.TAKING)
        try:
            source = await _begin(parts)
        except BrokerUnavailable:
            continue  # the lease was lost again
        if source is None:
            continue
        async with asyncio.TaskGroup() as tasks:
            making = [
                tasks.create_task(parts.maker.make(source), name="ticks"),
                tasks.create_task(parts.maker.beat(), name="beat"),
            ]
            await parts.tenure.reach(Stage.OVER)
            for task in making:
                task.cancel()
        parts.publisher.end()
        parts.tenure.end()


async def _begin(parts: Parts) -> Simulation | None:
    """Begin a run and return its source; None: the lease was lost, or has gone on, meanwhile.

    The lease and the log are asked first, and waited for: ticks under an epoch that the log has passed already
    would be dropped by every reader, since a clock that went back must not make a run look older than the last
    one.  The epoch is in the lease before its first tick is published.
    """
    settings, tenure, clock = parts.settings, parts.tenure, parts.clock
    known = tenure.leadership.known
    newest, continuity = await asyncio.gather(
        _newest(parts, patient=not known), last_ticks(parts.history, parts.listings)
    )
    epoch = choose_epoch(clock.wall_us(), known, newest)
    # In a thread: 20,000 symbols take seconds, and the lease's connection must beat meanwhile.
    source = await asyncio.to_thread(
        Simulation, settings.seed, parts.listings, settings.rate, epoch=epoch, lasts=continuity.lasts
    )
    await parts.lease.write(epoch)
    if not tenure.begin(epoch):
        return None
    parts.publisher.begin(epoch, source.instruments(clock.wall_us()))
    _say_begun(parts, epoch, newest, continuity)
    return source


async def _newest(parts: Parts, *, patient: bool) -> int | None:
    """Return the newest epoch in the log; where not *patient*, None if that takes too long."""
    try:
        async with asyncio.timeout(None if patient else LOG_S):
            return await parts.sink.newest_epoch([listing.symbol for listing in parts.listings])
    except TimeoutError:
        _log.warning("producer.log_unread", seconds=LOG_S)
        return None


def _say_begun(parts: Parts, epoch: int, newest: int | None, continuity: Continuity) -> None:
    continued = len(continuity.lasts)
    parts.publisher.continued = continued
    _log.info(
        "producer.begun",
        epoch=epoch,
        last_epoch=newest,
        lease_epoch=parts.tenure.leadership.known,
        continued=continued,
        afresh=len(parts.listings) - continued,
        **({"why_afresh": continuity.reason} if continuity.reason else {}),
    )


async def _drain(publisher: Publisher, drain_s: float) -> None:
    """Wait for the last confirm: a publisher that closed without lost 192 of its last 100,000 messages."""
    backlog = publisher.backlog
    try:
        async with asyncio.timeout(drain_s):
            await publisher.settled()
            publisher.farewell()
            await publisher.settled()
    except TimeoutError:
        publisher.farewell()
        _log.warning("producer.gave_up", unconfirmed=backlog.unconfirmed, waiting=backlog.waiting)
    counts = backlog.counts
    _log.info("producer.ended", confirmed=counts.confirmed, refused=counts.refused, lost=counts.lost)
