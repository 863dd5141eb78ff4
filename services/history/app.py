"""The composition root of history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry

from services.broker.history import ANSWER_S, Desk, TickLog
from services.history.metrics import HistoryMetrics
from services.history.reader import Reader
from services.history.settings import HistorySettings
from services.history.store import Store
from services.runtime.clock import Clock
from services.telemetry.operations import Probe, operations

_log = structlog.get_logger("tickwire.history")


async def run(
    settings: HistorySettings,
    log: TickLog,
    desk: Desk,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stop: asyncio.Event,
    started: Callable[[int], None] | None = None,
) -> None:
    """Remember and answer until *stop*; then take no more questions, answer what was taken, and return.

    *started* is called with the operations port as soon as that answers.

    Raises:
        CannotListen: the port is taken or not ours.
    """
    store = Store(keep_s=settings.retention_s, ring_ticks=settings.ring_ticks, memory=settings.memory_mb * 2**20)
    reader = Reader(store, log, desk, clock)
    metrics = HistoryMetrics(reader)
    registry.register(metrics)
    try:
        async with operations(
            settings.ops_host, settings.ops_port, registry=registry, ready=lambda: readiness(reader, stop)
        ) as port:
            if started is not None:
                started(port)
            _log.info("history.started", ops_port=port)
            await _serve(settings, reader, log, desk, stop)
    finally:
        registry.unregister(metrics)
    _log.info("history.stopped")


def readiness(reader: Reader, stop: asyncio.Event) -> Probe:
    """Ready while questions are taken."""
    if stop.is_set():
        return Probe(ok=False, reason="draining")
    return Probe(ok=reader.verdict.open, reason=reader.verdict.reason.value)


async def _serve(settings: HistorySettings, reader: Reader, log: TickLog, desk: Desk, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(log.run(reader, keep_s=settings.retention_s), name="log")
        answering = tasks.create_task(desk.run(reader.store), name="desk")
        watching = tasks.create_task(reader.watch(), name="watch")
        await stop.wait()
        watching.cancel()
        await asyncio.wait([watching])
        desk.close()
        # A question that was taken is one whose asker still waits: for no longer than this.
        await asyncio.sleep(min(ANSWER_S, settings.drain_s))
        answering.cancel()
        reading.cancel()
