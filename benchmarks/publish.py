"""What it costs to publish a message: Tickwire's own path beside stock aio-pika.

    python -m benchmarks.publish --url amqp://guest:guest@127.0.0.1:5672/ [--seconds 5]

Each message is one tick of about 150 bytes for one of 100 symbols; a queue and the log take it, and the broker
confirms it.  *Ours* is `RabbitSink`, 50 messages per write, at most 5,000 unconfirmed.  *Stock* is
`exchange.publish` as aio-pika's documentation shows it, 100 at a time by `asyncio.gather`.  Both publish as fast
as confirms come, on uvloop.  They take turns, three each, and figures are medians.  Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import suppress
from typing import Final

import aio_pika
import structlog
import uvloop

from benchmarks.ingest import CONNECT_S, UNSETTLED, Answers
from benchmarks.sides import Cost, compared, cost_of, run_side, show, tick_message
from services.broker import topology
from services.broker.ports import Route
from services.broker.rabbitmq import RabbitSink
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock

TURNS: Final = 3
WRITE: Final = 50
GATHER: Final = 100
WARM_UP_S: Final = 1.0


async def ours(url: str, seconds: float) -> Cost:
    """Return what `RabbitSink` spends."""
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
            sink.publish([tick_message(n) for n in range(number, number + WRITE)])
            number += WRITE
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    try:
        await asyncio.sleep(WARM_UP_S)
        return await cost_of(seconds, lambda: answers.settled)
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


async def compare(url: str, seconds: float) -> dict[str, object]:
    """Return the comparison."""
    costs: dict[str, list[Cost]] = {"ours": [], "stock": []}
    for _ in range(TURNS):
        for side, found in costs.items():
            arguments = ("--side", side, "--url", url, "--seconds", str(seconds / TURNS))
            found.append(await run_side(__spec__.name, *arguments))
    return compared(costs["ours"], costs["stock"])


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """Run one side, or compare both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured per side")
    parser.add_argument("--side", choices=["ours", "stock"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the figures
    if given.side:
        show(uvloop.run((ours if given.side == "ours" else stock)(given.url, given.seconds)))
    else:
        print(json.dumps(uvloop.run(compare(given.url, given.seconds)), indent=2))


if __name__ == "__main__":
    main()
