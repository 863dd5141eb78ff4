"""The demo: producer, gateway and history in one process on the in-memory broker.  No RabbitMQ, no Docker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import gateway.app
import producer.app
import services.history.app
from gateway.settings import GatewaySettings
from producer.settings import ProducerSettings
from producer.sources import universe
from services.broker.memory import MemoryBroker
from services.errors import BadSettings
from services.history.settings import HistorySettings
from services.runtime.clock import SystemClock
from services.runtime.settings import ProcessSettings, load
from services.telemetry.build import Process
from tickwire.processes import new_registry

S = TypeVar("S", bound=ProcessSettings)

RATE: Final = 200.0
"""Ticks per second unless told otherwise: fast enough to look alive, slow enough to read."""

_LOCAL: Final = frozenset({"127.0.0.1", "0.0.0.0", "::", "::1", ""})  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class DemoSettings:
    """The settings of the three processes."""

    gateway: GatewaySettings
    producer: ProducerSettings
    history: HistorySettings


@dataclass(frozen=True)
class Addresses:
    """Where a running demo answers."""

    page: str
    stream: str
    metrics: str
    producer_metrics: str
    history_metrics: str


def load_demo(
    gateway_given: Mapping[str, object] | None = None,
    producer_given: Mapping[str, object] | None = None,
    history_given: Mapping[str, object] | None = None,
) -> DemoSettings:
    """Return the settings that the environment and the flags say, faults of all three together.

    The operations port is the gateway's; producer and history take the next ones: one variable moves all.

    Raises:
        BadSettings: with every fault.
    """
    faults: list[str] = []
    memory = {"broker_url": "memory://"}
    front, back, recall = (
        _part(GatewaySettings, {**(gateway_given or {}), **memory}, faults),
        _part(ProducerSettings, {**(producer_given or {}), **memory}, faults),
        _part(HistorySettings, {**(history_given or {}), **memory}, faults),
    )
    if front is None or back is None or recall is None:
        raise BadSettings(faults)
    changes: dict[str, object] = {"ops_port": front.ops_port + 1 if front.ops_port else 0}
    if "rate" not in back.model_fields_set:
        changes["rate"] = RATE
    last_port = {"ops_port": front.ops_port + 2 if front.ops_port else 0}
    return DemoSettings(front, back.model_copy(update=changes), recall.model_copy(update=last_port))


def _part(settings: type[S], given: Mapping[str, object], faults: list[str]) -> S | None:
    """Return the settings of one process, or None with what is wrong added to *faults*."""
    try:
        return load(settings, given)
    except BadSettings as error:
        faults += [fault for fault in error.faults if fault not in faults]
        return None


def demo(
    settings: DemoSettings, started: Callable[[Addresses], None]
) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return the main of the demo; *started* is called once all three serve.

    The main raises `CannotListen` where a port is taken.
    """

    async def main(stop: asyncio.Event) -> None:
        await _run(settings, started, stop)

    return main


async def _run(settings: DemoSettings, started: Callable[[Addresses], None], stop: asyncio.Event) -> None:
    # A broken symbol file is told before anything listens.
    await asyncio.to_thread(universe.load, settings.producer.symbols)
    clock = SystemClock()
    broker = MemoryBroker(clock=clock, faults=None)
    ports: dict[str, int] = {}

    def note(**found: int) -> None:
        ports.update(found)
        if len(ports) == 4:  # noqa: PLR2004 - the page, and the operations of gateway, producer and history
            started(_addresses(settings.gateway, **ports))

    serving = asyncio.Event()

    def gateway_started(port: int, ops: int) -> None:
        note(port=port, ops=ops)
        serving.set()

    async with asyncio.TaskGroup() as tasks:
        serve = tasks.create_task(
            gateway.app.run(
                settings.gateway,
                broker.source("gateway"),
                broker.history(),
                clock=clock,
                registry=new_registry(Process.DEMO),
                stop=stop,
                started=gateway_started,
                admission=broker.admission("gateway"),
            ),
            name="gateway",
        )
        # The gateway first: it hears the first directory, and nobody's subscription waits 10 s for the next one.
        waiting = asyncio.ensure_future(serving.wait())
        await asyncio.wait({waiting, serve}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serve.done():
            return
        tasks.create_task(
            services.history.app.run(
                settings.history,
                broker.tick_log("history"),
                broker.desk("history"),
                clock=clock,
                registry=new_registry(Process.DEMO),
                stop=stop,
                started=lambda ops: note(history_ops=ops),
            ),
            name="history",
        )
        tasks.create_task(
            producer.app.run(
                settings.producer,
                broker.sink("producer"),
                lease=broker.lease(settings.producer.shard, "producer"),
                clock=clock,
                registry=new_registry(Process.DEMO),
                stop=stop,
                started=lambda ops: note(producer_ops=ops),
            ),
            name="producer",
        )


def _addresses(
    settings: GatewaySettings, *, port: int, ops: int, producer_ops: int, history_ops: int
) -> Addresses:
    host = "localhost" if settings.host in _LOCAL else settings.host
    ops_host = "localhost" if settings.ops_host in _LOCAL else settings.ops_host
    tls = "" if settings.tls_cert is None else "s"
    return Addresses(
        page=f"http{tls}://{host}:{port}/",
        stream=f"ws{tls}://{host}:{port}/v1/stream",
        metrics=f"http://{ops_host}:{ops}/metrics",
        producer_metrics=f"http://{ops_host}:{producer_ops}/metrics",
        history_metrics=f"http://{ops_host}:{history_ops}/metrics",
    )
