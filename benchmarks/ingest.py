"""What it costs to receive a message: Tickwire's own path beside stock aio-pika.

Each message is one tick of about 150 bytes, over 100 symbols with a queue each, as a gateway has them.  *Ours* is
`RabbitSource` with a listener that counts: the message is lifted out, decoded and checked.  *Stock* is
`queue.consume(callback, no_ack=True)` as aio-pika's documentation shows it, with a callback that counts; it
decodes nothing.  Both run on uvloop, each in a process of its own, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import aio_pika
import structlog
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from benchmarks.row import Row, median_row
from benchmarks.scenarios import Ingest
from benchmarks.sides import SYMBOLS, Cost, cost_of, run_side, show, tick_message
from services.broker import topology
from services.broker.ports import LostReason, Route, SinkListener, SourceListener
from services.broker.rabbitmq import RabbitSink, RabbitSource
from services.errors import BrokerUnavailable, MalformedMessage
from services.market.control import Control
from services.market.symbol import Symbol
from services.market.wire import TickMessage
from services.runtime.clock import SystemClock

HOW: Final = {
    "ours": "lifted out of the byte stream, decoded, checked",
    "stock": "`queue.consume(callback, no_ack=True)` with a callback that counts; decodes nothing",
}
WARM_UP_S: Final = 1.0
UNSETTLED: Final = 5_000
"""Messages on the wire, as the producer's own bound."""
CONNECT_S: Final = 10.0


class Counting(SourceListener):
    """Counts messages."""

    def __init__(self) -> None:
        self.messages = 0
        self.connected = asyncio.Event()

    def on_connected(self) -> None:
        """Note it."""
        self.connected.set()

    def on_lost(self, reason: LostReason) -> None:
        """End the run: its figures would mean nothing."""
        raise RuntimeError(f"connection lost: {reason}")

    def on_ticks(self, messages: Sequence[TickMessage]) -> None:
        """Count them."""
        self.messages += len(messages)

    def on_control(self, message: Control) -> None:
        """Ignore it."""

    def on_malformed(self, error: MalformedMessage) -> None:
        """End the run."""
        raise RuntimeError("malformed") from error

    def on_unfollowed(self, symbol: Symbol) -> None:
        """End the run."""
        raise RuntimeError(f"{symbol} is no longer followed")


class Answers(SinkListener):
    """Counts what the broker answered."""

    def __init__(self) -> None:
        self.settled = 0
        self.connected, self.progress = asyncio.Event(), asyncio.Event()

    def on_connected(self) -> None:
        """Note it."""
        self.connected.set()

    def on_lost(self, reason: LostReason) -> None:
        """End the run: its figures would mean nothing."""
        raise RuntimeError(f"connection lost: {reason}")

    def on_settled(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """Count it: one answer for all up to *number*, or for one."""
        if not accepted:
            raise RuntimeError(f"message {number} was refused")
        self.settled = number if multiple else self.settled + 1
        self.progress.set()

    def on_blocked(self, *, blocked: bool) -> None:
        """End the run: the broker is out of memory or disk."""
        raise RuntimeError(f"the broker blocks: {blocked}")


async def ours(url: str, seconds: float, rate: int) -> Cost:
    """Return what `RabbitSource` spends."""
    source, listener = RabbitSource(url, name="bench", clock=SystemClock()), Counting()
    running = asyncio.create_task(source.run(listener))
    try:
        async with asyncio.timeout(CONNECT_S):
            await listener.connected.wait()
        await asyncio.gather(*map(source.follow, SYMBOLS))
        return await _fed(url, seconds, rate, lambda: listener.messages)
    finally:
        await _stop(running)


async def stock(url: str, seconds: float, rate: int) -> Cost:
    """Return what aio-pika spends."""
    count = 0

    async def on_message(message: AbstractIncomingMessage) -> None:
        nonlocal count
        count += len(message.body) > 0

    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(topology.TICKS.name, topology.TICKS.kind, durable=True)
        for symbol in SYMBOLS:
            queue = await channel.declare_queue(exclusive=True, arguments=dict(topology.LIVE_ARGUMENTS))
            await queue.bind(exchange, topology.routing_key(Route.TICK, symbol))
            await queue.consume(on_message, no_ack=True)
        return await _fed(url, seconds, rate, lambda: count)


async def _fed(url: str, seconds: float, rate: int, messages: Callable[[], int]) -> Cost:
    # The feed is another process, and starts once the queues stand: stock aio-pika opens none under load.
    feeding = asyncio.create_task(run_side(__spec__.name, "--side", "publish", "--url", url, "--rate", str(rate)))
    try:
        async with asyncio.timeout(CONNECT_S):
            while not messages():  # noqa: ASYNC110 - an event would be one more thing to measure
                await asyncio.sleep(0.01)
        await asyncio.sleep(WARM_UP_S)
        return await cost_of(seconds, messages)
    finally:
        await _stop(feeding)


async def publish(url: str, rate: int) -> None:
    """Publish *rate* messages a second, in the producer's intervals, until this process is ended."""
    sink, answers = RabbitSink(url, name="bench", clock=SystemClock()), Answers()
    running = asyncio.create_task(sink.run(answers))
    await answers.connected.wait()
    began, number = time.perf_counter(), 0
    interval = 0.001 if rate < 5_000 else 0.005 if rate < 20_000 else 0.01
    while not running.done():
        due = min(int((time.perf_counter() - began) * rate), answers.settled + UNSETTLED)
        if due > number:
            with suppress(BrokerUnavailable):
                sink.publish([tick_message(n) for n in range(number, due)])
            number = due
        await asyncio.sleep(interval)
    running.result()


async def ingest(scenario: Ingest, url: str) -> list[Row]:
    """Let both take turns at each rate, and return the median turn of each."""
    rows: list[Row] = []
    for rate in scenario.rates:
        turns: dict[str, list[Row]] = {"Tickwire": [], "aio-pika": []}
        for _ in range(scenario.runs):
            for (who, found), side in zip(turns.items(), ("ours", "stock"), strict=True):
                arguments = ("--url", url, "--seconds", str(scenario.seconds), "--rate", str(rate))
                cost = await run_side(__spec__.name, "--side", side, *arguments)
                found.append(Row(scenario.name, f"{who}, {rate:,}/s", cost.rate, cost.cpu_us, note=HOW[side]))
        rows += [median_row(found) for found in turns.values()]
    return rows


async def _stop(task: asyncio.Task[object]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """Run one side, for `ingest` in another process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--side", choices=["ours", "stock", "publish"], required=True)
    parser.add_argument("--rate", type=int, required=True, help="messages per second")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the figures
    if given.side == "publish":
        uvloop.run(publish(given.url, given.rate))
    else:
        show(uvloop.run((ours if given.side == "ours" else stock)(given.url, given.seconds, given.rate)))


if __name__ == "__main__":
    main()
