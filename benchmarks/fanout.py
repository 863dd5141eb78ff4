"""Fan-out: one symbol, many clients; what a delivery costs the server's processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.generator import Load, measured
from benchmarks.metronome import Metronome
from benchmarks.peers import program
from benchmarks.peers.nats import Nats
from benchmarks.peers.nchan import Nchan
from benchmarks.peers.peer import SYMBOL, Peer, Schedule, Target, cpu_seconds
from tests.stack import Stack, Tickwire


@dataclass(frozen=True)
class FanOut:
    """*clients* clients of one symbol get *ticks* ticks at once, *rate* times a second."""

    name: str
    rate: float
    ticks: int
    clients: int = 500
    seconds: float = 6.0
    warmup: float = 2.0


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
        hello = json.dumps({"op": "subscribe", "id": 1, "symbols": [SYMBOL]})
        return Target(self._gateway.port, "/v1/stream", hello=[hello])

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


def peers(stack: Stack) -> dict[str, Maker]:
    """Return everybody who takes part, by the name for the command line."""
    return {
        "floor": program.floor,
        "tickwire": lambda: Tickwires(stack),
        "nchan": Nchan,
        "nats": Nats,
        "broadcast": program.websockets_broadcast,
        "naive": program.aiohttp_naive,
    }


async def run_once(scenario: FanOut, peer: Peer) -> dict[str, Any]:
    """Run *scenario* against *peer* and return the row of its table."""
    total = scenario.warmup + scenario.seconds + 3.0
    schedule = Schedule(scenario.rate, scenario.ticks, total)
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
    deliveries = max(1, result["deliveries"])
    return {
        "peer": peer.name,
        "how": peer.how,
        "cpu_us": used["server"] / deliveries * 1e6,
        "per_s": result["deliveries"] / result["seconds"],
        "ticks_per_frame": deliveries / max(1, result["frames"]),
        "generator_us": result["cpu_s"] / deliveries * 1e6,
        "holes": result["holes"],
        **{key: result["latency_us"][key] / 1e3 for key in ("p50", "p99", "p99.9")},
    }


def middle(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the run with the median cost, with the costs of all."""
    cost = median(row["cpu_us"] for row in rows)
    row = min(rows, key=lambda row: abs(row["cpu_us"] - cost))
    return {**row, "runs": [round(row["cpu_us"], 3) for row in rows]}
