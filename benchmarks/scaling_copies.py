"""What each further gateway costs the broker: its CPU per message at 1, 3 and 5 gateways of the same symbols.

    $ .venv/bin/python -m benchmarks.scaling_copies             # with RabbitMQ 4 in a container
    $ TICKWIRE_TEST_BROKER=local .venv/bin/python -m benchmarks.scaling_copies --rate 4000

The slope is a copy's cost, the rest that of taking a message in, routing it, confirming it and writing the log.
Messages of 100 symbols, 1,000 a second or *rate*, or what the broker keeps up with: the more, the cheaper each is.
Printed, and copied by hand into `benchmarks/figures/plan.toml`.
"""

from __future__ import annotations

import argparse
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
SECONDS: Final = 5.0
CONNECT_S: Final = 30.0


async def measure(broker: Broker, queues: str, gateways: int, rate: int) -> tuple[float, float]:
    """Return the broker's CPU per message in microseconds, and how many messages a second it took."""
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
        sent = await publisher.ask("load", SYMBOLS, rate, SECONDS)
        return (await number(broker, CPU_MS) - cpu) * 1e3 / sent, sent / SECONDS


async def measure_all(broker: Broker, rate: int) -> None:
    """Print each, in turns, and the slopes."""
    found: dict[str, dict[int, list[tuple[float, float]]]] = {"symbol": {}, "bucket:16": {}}
    for _ in range(ROUNDS):
        for queues, costs in found.items():
            for gateways in GATEWAYS:
                costs.setdefault(gateways, []).append(await measure(broker, queues, gateways, rate))
    for queues, costs in found.items():
        medians = {gateways: statistics.median(cost for cost, _ in some) for gateways, some in costs.items()}
        rates = {gateways: statistics.median(taken for _, taken in some) for gateways, some in costs.items()}
        copy = (medians[GATEWAYS[-1]] - medians[GATEWAYS[0]]) / (GATEWAYS[-1] - GATEWAYS[0])
        row = {"queues": queues, "us": medians, "per_s": rates, "copy_us": copy, "load": os.getloadavg()[0]}
        print(json.dumps(row), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1_000, help="messages a second")
    rate = parser.parse_args().rate
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    broker = find_broker()
    try:
        uvloop.run(measure_all(broker, rate))
    finally:
        broker.remove()


if __name__ == "__main__":
    main()
