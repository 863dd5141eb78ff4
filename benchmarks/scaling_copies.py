"""What each further gateway costs the broker: its CPU per message at 1, 3 and 5 gateways of the same symbols.

    $ .venv/bin/python -m benchmarks.scaling_copies             # with RabbitMQ 4 in a container
    $ TICKWIRE_TEST_BROKER=local .venv/bin/python -m benchmarks.scaling_copies

The slope is a copy's cost, the rest that of taking a message in, routing it, confirming it and writing the log.
Everything at 1,000 messages a second of 100 symbols, which is the dear end: at higher rates the broker batches.
Printed, and copied by hand into `benchmarks/results/scaling.toml`.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
from contextlib import AsyncExitStack
from typing import Final

import structlog
import uvloop

from benchmarks.ingest import Counting
from benchmarks.scaling import CPU_MS, follow, number, publisher_to, symbols
from services.broker.queues import parse_queues
from services.broker.rabbitmq import RabbitSource
from services.runtime.clock import SystemClock
from tests.brokers import Broker, find_broker

GATEWAYS: Final = (1, 3, 5)
ROUNDS: Final = 3
SYMBOLS: Final = 100
RATE: Final = 1_000
SECONDS: Final = 5.0
CONNECT_S: Final = 30.0


async def measure(broker: Broker, queues: str, gateways: int) -> float:
    """Return the broker's CPU per message in microseconds."""
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(publisher_to(broker))
        for _ in range(gateways):
            source = RabbitSource(broker.url, name="bench", clock=SystemClock(), queues=parse_queues(queues))
            listener = Counting()
            running = asyncio.create_task(source.run(listener))
            stack.callback(running.cancel)
            async with asyncio.timeout(CONNECT_S):
                await listener.connected.wait()
            await follow(source, symbols(SYMBOLS))
        cpu = await number(broker, CPU_MS)
        sent = await publisher.ask("load", SYMBOLS, RATE, SECONDS)
        return (await number(broker, CPU_MS) - cpu) * 1e3 / sent


async def measure_all(broker: Broker) -> None:
    """Print each, in turns, and the slopes."""
    found: dict[str, dict[int, list[float]]] = {"symbol": {}, "bucket:16": {}}
    for _ in range(ROUNDS):
        for queues, costs in found.items():
            for gateways in GATEWAYS:
                costs.setdefault(gateways, []).append(await measure(broker, queues, gateways))
    for queues, costs in found.items():
        medians = {gateways: statistics.median(some) for gateways, some in costs.items()}
        copy = (medians[GATEWAYS[-1]] - medians[GATEWAYS[0]]) / (GATEWAYS[-1] - GATEWAYS[0])
        print(
            json.dumps({"queues": queues, "us": medians, "copy_us": copy, "load": os.getloadavg()[0]}), flush=True
        )


def main() -> None:
    """Measure and print."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    broker = find_broker()
    try:
        uvloop.run(measure_all(broker))
    finally:
        broker.remove()


if __name__ == "__main__":
    main()
