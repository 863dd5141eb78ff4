"""Fan-out: one symbol, many clients; what a delivery costs the server's processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.generator import Load, measured
from benchmarks.metronome import Metronome
from benchmarks.peers import program
from benchmarks.peers.nats import Nats
from benchmarks.peers.nchan import Nchan
from benchmarks.peers.peer import HELLO, Peer, Schedule, Target, Unavailable, cpu_seconds
from benchmarks.peers.stock import Stock
from benchmarks.peers.web_mqtt import WebMqtt
from benchmarks.row import Row, median_row
from benchmarks.scenarios import FanOut
from tests.brokers import Broker
from tests.stack import Stack, Tickwire


class Tickwires:
    """The product itself: RabbitMQ and the gateway, whose CPU counts."""

    name = "Tickwire"
    how = "`tickwire gateway` behind RabbitMQ; its CPU, with all it takes to consume; a batch is one message"

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._gateway: Tickwire | None = None
        self._metronome = Metronome(stack.broker_url)

    async def start(self, schedule: Schedule, clients: int) -> Target:
        """See `Peer`."""
        del schedule
        await self._metronome.start()
        self._gateway = await self._stack.gateway(MAX_CONNECTIONS=clients + 10)
        await self._gateway.ready()
        return Target(self._gateway.port, "/v1/stream", hello=[HELLO])

    @property
    def pids(self) -> Sequence[int]:
        """See `Peer`."""
        return [] if self._gateway is None else [self._gateway.pid]

    async def publish(self, schedule: Schedule) -> None:
        """See `Peer`."""
        await self._metronome.publish(schedule)

    async def stop(self) -> None:
        """See `Peer`."""
        if self._gateway is not None:
            await self._gateway.stop()
        await self._metronome.stop()


Maker = Callable[[], Peer]


def peers(broker: Broker, stack: Stack) -> dict[str, Maker]:
    """Return everybody who takes part, by the name in `scenarios.EVERYBODY`."""
    return {
        "floor": program.floor,
        "tickwire": lambda: Tickwires(stack),
        "nchan": Nchan,
        "nats": Nats,
        "broadcast": program.websockets_broadcast,
        "naive": program.aiohttp_naive,
        "stock": lambda: Stock(broker.url),
        "web_mqtt": WebMqtt,
    }


async def fan_out(scenario: FanOut, broker: Broker, missing: Callable[[str], None]) -> list[Row]:
    """Let everybody have *scenario.runs* turns, in rounds, and return the median run of each.

    *missing* is told who cannot take part on this machine.
    """
    rows: dict[str, list[Row]] = {name: [] for name in scenario.peers}
    async with Stack(broker.url) as stack:
        makers = peers(broker, stack)
        for _ in range(scenario.runs):
            for name, runs in list(rows.items()):
                try:
                    runs.append(await fan_out_once(scenario, makers[name]()))
                except Unavailable as error:
                    missing(f"{name}: this machine lacks {error}")
                    del rows[name]
    return [median_row(runs) for runs in rows.values()]


async def fan_out_once(scenario: FanOut, peer: Peer) -> Row:
    """Run *scenario* against *peer*."""
    schedule = Schedule(scenario.rate, scenario.ticks, scenario.warmup + scenario.seconds + 3.0)
    try:
        target = await peer.start(schedule, scenario.clients)
        load = Load(
            target.port, scenario.clients, target.hello, target.path, target.subprotocol,
            warmup=scenario.warmup, seconds=scenario.seconds,
        )  # fmt: skip
        result, used = await measured(
            load, lambda: {"server": cpu_seconds(peer.pids)}, lambda: peer.publish(schedule)
        )
    finally:
        await peer.stop()
    deliveries, latency = max(1, result["deliveries"]), result["latency_us"]
    return Row(
        scenario.name, peer.name, result["deliveries"] / result["seconds"], used["server"] / deliveries * 1e6,
        latency["p50"] / 1e3, latency["p99"] / 1e3, latency["p99.9"] / 1e3, holes=result["holes"],
        note=peer.how, detail={"generator": result, "key": peer.name},
    )  # fmt: skip
