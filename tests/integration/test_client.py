"""The Python client against real gateways: an independent count of its ticks, and a checker of all its frames."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from tests.brokers import free_ports
from tests.checker import Checker
from tests.eventually import eventually
from tests.stack import Stack
from tests.streamclient import StreamClient
from tests.witness import Record
from tickwire_client import EpochChange, Feed, Gap, Position, Status, Subscription, Tick, connect
from tickwire_client.hooks import Callbacks

RATE: Final = 400
FEW: Final = ["NVDA", "TSLA", "AAPL"]
SETTLE_S: Final = 8.0
DEADLINE_S: Final = 60.0

pytestmark = pytest.mark.timeout(180)


class Reader:
    """Reads a subscription to its end, and notes the position of every tick."""

    def __init__(self) -> None:
        self.found: defaultdict[str, list[Position]] = defaultdict(list)
        self.ticks: list[Tick] = []

    async def read(self, ticks: Subscription) -> None:
        """Take every tick."""
        async for tick in ticks:
            self.found[tick.symbol].append(tick.position)
            self.ticks.append(tick)

    async def until(self, more: int) -> None:
        """Return after *more* ticks."""
        target = len(self.ticks) + more
        await eventually(lambda: len(self.ticks) >= target, deadline=DEADLINE_S)

    def settled(self, last: dict[str, tuple[int, int]]) -> bool:
        """Whether every symbol of `FEW` was read to its *last* position."""
        return all(self.found[symbol] and self.found[symbol][-1] == last[symbol] for symbol in FEW)


def _checked(checker: Checker) -> Callbacks:
    """Show *checker* everything that a feed says and hears."""

    def status(status: Status) -> None:
        if status.feed == "disconnected":
            checker.closed()

    return Callbacks(
        on_frame=lambda text: checker.received(text.encode()),
        on_command=lambda text: checker.sent(json.loads(text)),
        on_connection=lambda _: checker.opened(),
        on_status=status,
    )


@asynccontextmanager
async def _reading(feed: Feed, **options: Any) -> AsyncIterator[Reader]:
    reader = Reader()
    async with feed.subscribe(*FEW, **options) as ticks:
        reading = asyncio.create_task(reader.read(ticks))
        try:
            yield reader
        finally:
            reading.cancel()


@asynccontextmanager
async def _stays(stack: Stack, url: str) -> AsyncIterator[None]:
    """Somebody else follows the symbols at *url*, so that this gateway remembers them."""
    async with StreamClient(stack.http) as client:
        await client.connect(url)
        await client.subscribe(*FEW)
        await client.until(lambda: all(client.checker.account(symbol).snapshots for symbol in FEW))
        yield


async def test_gateways_end(stack: Stack) -> None:
    """One gateway ends, the next is killed: each tick comes exactly once, to the last one that was published."""
    checker = Checker("client")
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE)
        first, second, third = [await stack.gateway() for _ in range(3)]
        for gateway in (first, second, third):
            await gateway.ready()
        async with (
            _stays(stack, third.stream),
            _stays(stack, second.stream),
            connect([first.stream, second.stream, third.stream], **_checked(checker)) as feed,
            _reading(feed) as reader,
        ):
            await reader.until(50)
            await first.stop()
            await reader.until(100)
            await second.kill()
            await reader.until(100)
            await producer.stop()
            await eventually(
                lambda: record.last.keys() >= set(FEW) and reader.settled(record.last), deadline=SETTLE_S
            )

            checker.finish({symbol: record.last[symbol] for symbol in FEW}, record.ends)
            for symbol in FEW:
                found = reader.found[symbol]
                published = sorted(at for at in record.lines[symbol] if at >= found[0])
                assert found == published
                assert (feed.account(symbol).missing, feed.account(symbol).unknown) == ({}, {})
            assert feed.violations == 0


async def test_fewer_ticks(stack: Stack) -> None:
    """A subscription with a rate accounts for what it leaves out, beside one of every tick."""
    checker = Checker("client")
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE)
        gateway = await stack.gateway()
        await gateway.ready()
        async with (
            connect(gateway.stream, **_checked(checker)) as feed,
            _reading(feed) as exact,
            _reading(feed, max_rate=2) as fewer,
        ):
            await exact.until(2 * RATE)
            await producer.stop()
            await eventually(lambda: record.last.keys() >= set(FEW), deadline=SETTLE_S)
            await eventually(lambda: exact.settled(record.last) and fewer.settled(record.last), deadline=SETTLE_S)

            checker.finish({symbol: record.last[symbol] for symbol in FEW}, record.ends)
            for symbol in FEW:
                assert exact.found[symbol][-1] == fewer.found[symbol][-1]
                assert len(fewer.found[symbol]) < len(exact.found[symbol]) / 2
                theirs = [tick for tick in fewer.ticks if tick.symbol == symbol]
                first, last = fewer.found[symbol][0].seq, fewer.found[symbol][-1].seq
                assert sum(1 + tick.skipped for tick in theirs) == last - first + 1 + theirs[0].skipped


async def test_producer_begins_anew(stack: Stack) -> None:
    """A later run of the producer is told before its ticks; what nobody can say of the earlier one is a gap."""
    checker = Checker("client")
    told: list[Gap | EpochChange] = []
    old = await stack.producer(RATE=RATE)
    gateway = await stack.gateway()
    await gateway.ready()
    callbacks = _checked(checker)
    callbacks["on_gap"] = callbacks["on_epoch"] = told.append
    async with connect(gateway.stream, **callbacks) as feed, _reading(feed) as reader:
        await reader.until(50)
        await old.stop()
        began = reader.found["NVDA"][-1].epoch
        await stack.producer(RATE=RATE)
        await eventually(
            lambda: all(reader.found[symbol][-1].epoch > began for symbol in FEW), deadline=DEADLINE_S
        )

        checker.check()
        assert {event.symbol for event in told} == set(FEW)
        for symbol in FEW:
            assert reader.found[symbol] == sorted(set(reader.found[symbol]))


async def test_demo_begins_anew() -> None:
    """The demo forgets everything and begins anew: the client comes back by itself, and says so."""
    port, ops = free_ports(2)
    told: list[Gap | EpochChange] = []
    checker = Checker("client")
    callbacks = _checked(checker)
    callbacks["on_gap"] = callbacks["on_epoch"] = told.append
    async with _demo(port, ops) as first:
        await _listens(port)
        async with connect(f"ws://127.0.0.1:{port}/v1/stream", **callbacks) as feed, _reading(feed) as reader:
            await reader.until(20)
            first.send_signal(signal.SIGKILL)
            await first.wait()
            epochs = {symbol: reader.found[symbol][-1].epoch for symbol in FEW if reader.found[symbol]}
            async with _demo(port, ops):
                await eventually(
                    lambda: all(reader.found[symbol][-1].epoch > epoch for symbol, epoch in epochs.items()),
                    deadline=DEADLINE_S,
                )

            checker.check()
            assert {event.symbol for event in told} >= epochs.keys()
            for symbol in epochs:
                assert reader.found[symbol] == sorted(set(reader.found[symbol]))


@asynccontextmanager
async def _demo(port: int, ops: int) -> AsyncIterator[asyncio.subprocess.Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    settings = {"TICKWIRE_PORT": str(port), "TICKWIRE_OPS_PORT": str(ops), "TICKWIRE_LOG_STYLE": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickwire", "demo", env=kept | settings, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
