"""What it costs to publish a message: Tickwire's own path beside stock aio-pika.

Each message is one tick of about 150 bytes for one of 100 symbols; the log takes it, and the broker confirms it.
*Ours* is `RabbitSink`, 50 messages per write, at most 5,000 unconfirmed; where its own CPU is not the limit, the
broker is, and so there is a row in which a message carries 10 ticks, as the producer groups them when it has that
many to send.  *Stock* is `exchange.publish` as aio-pika's documentation shows it, 100 at a time by
`asyncio.gather`.  All publish as fast as confirms come, on uvloop, each in a process of its own, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import suppress
from typing import Final

import aio_pika
import structlog
import uvloop

from benchmarks.ingest import CONNECT_S, UNSETTLED, Answers
from benchmarks.peers.peer import cpu_seconds, family
from benchmarks.row import Row, median_row
from benchmarks.scenarios import Publish
from benchmarks.sides import Cost, cost_of, run_side, show, tick_message
from services.broker import topology
from services.broker.ports import Route
from services.broker.rabbitmq import RabbitSink
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.brokers import Broker

WRITE: Final = 50
GATHER: Final = 100
WARM_UP_S: Final = 1.0
GROUP: Final = 10
WHO: Final = {
    "Tickwire": ("ours", 1),
    f"Tickwire, {GROUP} ticks a message": ("ours", GROUP),
    "aio-pika": ("stock", 1),
}
"""Side, and ticks in a message."""
HOW: Final = {
    "ours": "50 messages per write, at most 5,000 unconfirmed",
    "stock": "`exchange.publish`, 100 at a time by `asyncio.gather`",
}


async def ours(url: str, seconds: float, ticks: int) -> Cost:
    """Return what `RabbitSink` spends per tick, where a message carries *ticks*."""
    sink, answers = RabbitSink(url, name="bench", clock=SystemClock()), Answers()
    running = asyncio.create_task(sink.run(answers))
    async with asyncio.timeout(CONNECT_S):
        await answers.connected.wait()

    async def publish() -> None:
        number = 0
        while True:
            while number + WRITE > answers.settled + UNSETTLED:
                answers.progress.clear()
                await answers.progress.wait()
            sink.publish([tick_message(n, ticks) for n in range(number, number + WRITE)])
            number += WRITE
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    try:
        await asyncio.sleep(WARM_UP_S)
        return await cost_of(seconds, lambda: answers.settled * ticks)
    finally:
        await _stop(publishing)
        await _stop(running)


async def stock(url: str, seconds: float) -> Cost:
    """Return what aio-pika spends."""
    settled = 0
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(topology.TICKS.name, topology.TICKS.kind, durable=True)

        async def one(number: int) -> None:
            nonlocal settled
            _, symbol, identity, body = tick_message(number)
            message = aio_pika.Message(body, message_id=identity)
            key = topology.routing_key(Route.TICK, Symbol(symbol))
            await exchange.publish(message, routing_key=key, mandatory=False)
            settled += 1

        async def publish() -> None:
            number = 0
            while True:
                await asyncio.gather(*map(one, range(number, number + GATHER)))
                number += GATHER

        publishing = asyncio.create_task(publish())
        try:
            await asyncio.sleep(WARM_UP_S)
            return await cost_of(seconds, lambda: settled)
        finally:
            await _stop(publishing)


async def publish(scenario: Publish, broker: Broker) -> list[Row]:
    """Let all take turns, and return the median turn of each; a delivery is a tick."""
    turns: dict[str, list[Row]] = {who: [] for who in WHO}
    for _ in range(scenario.runs):
        for who, (side, ticks) in WHO.items():
            arguments = ("--side", side, "--url", broker.url, "--seconds", str(scenario.seconds))
            busy, began = _broker_cpu(broker), time.monotonic()
            cost = await run_side(__spec__.name, *arguments, "--ticks", str(ticks))
            cores = (_broker_cpu(broker) - busy) / (time.monotonic() - began)
            note = f"{HOW[side]}; RabbitMQ took {cores:.2f} cores"
            turns[who].append(Row(scenario.name, who, cost.rate, cost.cpu_us, note=note))
    return [median_row(found) for found in turns.values()]


def _broker_cpu(broker: Broker) -> float:
    return cpu_seconds(family(broker.pid)) if broker.pid else 0.0


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """Run one side, for `publish` in another process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--side", choices=["ours", "stock"], required=True)
    parser.add_argument("--ticks", type=int, default=1, help="in a message of ours")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the figures
    ours_or_stock = (
        ours(given.url, given.seconds, given.ticks) if given.side == "ours" else stock(given.url, given.seconds)
    )
    show(uvloop.run(ours_or_stock))


if __name__ == "__main__":
    main()
