"""The history process's core and who asks it, over one broker: one way to make each, per adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from services.broker.history import Desk, History, TickLog
from services.broker.rabbitmq import RabbitDesk, RabbitHistory, RabbitTickLog
from services.history import app
from services.history.settings import HistorySettings
from services.runtime.clock import SystemClock
from services.runtime.settings import load
from tests.contract.controls import Controls, MemoryControls, RabbitControls


class Parts(Protocol):
    """What history and its askers are made of, on one broker."""

    async def tick_log(self, name: str) -> TickLog:
        """A log whose connection is called *name*."""
        ...

    async def desk(self, name: str) -> Desk:
        """A desk whose connection is called *name*."""
        ...

    async def history(self, name: str) -> History:
        """The asking side, whose connection is called *name*."""
        ...


class MemoryParts:
    """On the in-memory broker."""

    def __init__(self, controls: MemoryControls) -> None:
        self._broker = controls.broker

    async def tick_log(self, name: str) -> TickLog:
        """See `Parts`."""
        return self._broker.tick_log(name)

    async def desk(self, name: str) -> Desk:
        """See `Parts`."""
        return self._broker.desk(name)

    async def history(self, name: str) -> History:
        """See `Parts`."""
        del name
        return self._broker.history()


class RabbitParts:
    """On a real broker, each connection through the proxy of its name."""

    def __init__(self, controls: RabbitControls) -> None:
        self._controls = controls

    async def tick_log(self, name: str) -> TickLog:
        """See `Parts`."""
        return RabbitTickLog(await self._controls.through(name), name=name, clock=SystemClock())

    async def desk(self, name: str) -> Desk:
        """See `Parts`."""
        return RabbitDesk(await self._controls.through(name), name=name, clock=SystemClock())

    async def history(self, name: str) -> History:
        """See `Parts`."""
        return RabbitHistory(await self._controls.through(name), name=name, clock=SystemClock())


def parts_of(broker: Controls) -> Parts:
    """Return the parts for *broker*; another adapter is one more case here."""
    if isinstance(broker, RabbitControls):
        return RabbitParts(broker)
    assert isinstance(broker, MemoryControls)
    return MemoryParts(broker)


@dataclass(slots=True)
class Remembering:
    """A history process that runs; *stop* ends it in order, *task* is its whole life."""

    registry: CollectorRegistry
    stop: asyncio.Event
    task: asyncio.Task[None]

    def value(self, name: str, **labels: str) -> float:
        """What the metric `tickwire_history_…` says."""
        return self.registry.get_sample_value(f"tickwire_history_{name}", labels) or 0.0

    @property
    def open(self) -> bool:
        """Whether it takes questions."""
        return self.value("open") == 1


class Histories:
    """The histories of one test: each `remember` starts a replica, each `ask` an asker; the end ends all."""

    def __init__(self, parts: Parts, stack: AsyncExitStack) -> None:
        self._parts, self._stack = parts, stack

    async def remember(self, name: str, **given: object) -> Remembering:
        """Start a replica whose connections are *name*-log and *name*-desk."""
        settings = load(HistorySettings, {"ops_port": 0, "drain_s": 1, **given})
        log, desk = await self._parts.tick_log(f"{name}-log"), await self._parts.desk(f"{name}-desk")
        registry, stop = CollectorRegistry(), asyncio.Event()

        async def life() -> None:
            await app.run(settings, log, desk, clock=SystemClock(), registry=registry, stop=stop)

        task = await self._stack.enter_async_context(_running(life))
        return Remembering(registry, stop, task)

    async def asker(self, name: str = "asker") -> History:
        """Start an asker."""
        history = await self._parts.history(name)
        await self._stack.enter_async_context(_running(history.run))
        return history


@asynccontextmanager
async def histories(broker: Controls) -> AsyncIterator[Histories]:
    """The histories of one test on *broker*."""
    async with AsyncExitStack() as stack:
        yield Histories(parts_of(broker), stack)


@asynccontextmanager
async def _running(life: Callable[[], Coroutine[object, object, None]]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(life())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
