"""Candles as a subscription, with real processes: what a client holds is what the published ticks give."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import pytest
from aiohttp import ClientSession

from tests.candlebook import CandleBook, recount
from tests.checker import Checker
from tests.eventually import eventually
from tests.stack import Stack
from tests.streamclient import StreamClient
from tests.witness import Record
from tickwire_client import Candle, CandleSubscription, connect

RATE: Final = 400
FEW: Final = ["NVDA", "TSLA", "AAPL"]
INTERVALS: Final = ["1s", "1m"]
DEADLINE_S: Final = 40.0
RECORD_S: Final = 10.0
"""How far the record may lag behind the gateways on a busy machine."""

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


async def follow(client: StreamClient, url: str) -> CandleBook:
    """Follow the candles of `FEW` on a new connection; return what the client holds once it has all resets."""
    await client.connect(url)
    book = client.checker.candles
    for interval in INTERVALS:
        assert await client.subscribe(*FEW, candles=interval, history=500) == {}
    await client.until(lambda: all(book.settled((symbol, interval)) for symbol in FEW for interval in INTERVALS))
    return book


async def seconds(client: StreamClient, count: int) -> None:
    """Return after *count* more candles of a second."""
    book = client.checker.candles
    target = max(book.held[FEW[0], "1s"]) + count * 1_000_000
    await client.until(lambda: max(book.held[FEW[0], "1s"]) >= target, DEADLINE_S)


def differences(book: CandleBook, record: Record, *, ended: bool) -> tuple[int, list[object]]:
    """Compare each candle held with that of the ticks on record; return how many, and those that differ.

    Not *ended*: the last one still grows.
    """
    compared, found = 0, list[object]()
    for symbol in FEW:
        ticks = sorted(record.lines[symbol].items())
        for interval in INTERVALS:
            held, truth = book.held[symbol, interval], recount(ticks, interval)
            newest = max(held)
            for start in truth:
                if start > newest or (start == newest and not ended) or held.get(start, {}).get("partial"):
                    continue
                compared += 1
                if held.get(start) != truth[start]:
                    found.append((interval, held.get(start), truth[start]))
    return compared, found


async def agree(book: CandleBook, record: Record, *, ended: bool = False) -> int:
    """Return how many candles are those of the ticks, once the record has these ticks, too."""
    with suppress(AssertionError):
        await eventually(lambda: not differences(book, record, ended=ended)[1], deadline=RECORD_S)
    compared, differ = differences(book, record, ended=ended)
    assert not differ
    assert compared
    return compared


class Reader:
    """Reads candles with the Python client, and holds what an update leaves."""

    def __init__(self) -> None:
        self.held: dict[int, Candle] = {}
        self.resets = 0

    async def read(self, updates: CandleSubscription) -> None:
        """Take every update."""
        async for update in updates:
            if update.reset:
                self.held.clear()
                self.resets += 1
            self.held.update((candle.start, candle) for candle in update.candles)

    @property
    def rows(self) -> dict[int, dict[str, object]]:
        """What it holds, as the wire puts it."""
        rows: dict[int, dict[str, object]] = {}
        for start, c in self.held.items():
            prices = {name: float(getattr(c, name)) for name in ("open", "high", "low", "close")}
            more = {"partial": True} if c.partial else {}
            rows[start] = {
                "start": start,
                "epoch": c.epoch,
                **prices,
                "volume": c.volume,
                "trades": c.trades,
                **more,
            }
        return rows


@asynccontextmanager
async def _reading(*urls: str) -> AsyncIterator[Reader]:
    """The Python client follows the candles of a second of one symbol, at one of *urls* after the other."""
    reader = Reader()
    async with connect(list(urls)) as feed, feed.candles(FEW[0], interval="1s", history=500) as updates:
        reading = asyncio.create_task(reader.read(updates))
        try:
            yield reader
        finally:
            reading.cancel()


async def test_candles_are_those_of_the_ticks(stack: Stack) -> None:
    """Through a gateway's and a history's violent end and a producer's restart every candle is exact.

    The Python client, which comes back by itself, holds the same.
    """
    async with Record(stack.broker_url) as record, StreamClient(stack.http, Checker("client")) as client:
        history = await stack.start("history", {})
        producer = await stack.producer(RATE=RATE)
        first, second = [await stack.gateway() for _ in range(2)]
        for process in (first, second, history):
            await process.ready()
        async with _reading(first.stream, second.stream) as reader:
            book = await follow(client, first.stream)
            await seconds(client, 3)
            await agree(book, record)

            await first.kill()
            book = await follow(client, second.stream)
            await seconds(client, 2)
            await agree(book, record)

            await history.kill()
            await seconds(client, 2)
            await agree(book, record)
            await (await stack.start("history", {})).ready()
            book = await follow(client, second.stream)
            await agree(book, record)

            await producer.stop()
            producer = await stack.producer(RATE=RATE)
            await seconds(client, 2)
            await producer.stop()
            newest = {
                symbol: max(recount(sorted(record.lines[symbol].items()), "1s").values(), key=_start)
                for symbol in FEW
            }
            await eventually(lambda: all(book.held[s, "1s"].get(newest[s]["start"]) == newest[s] for s in FEW))
            assert await agree(book, record, ended=True) >= 3 * 7
            assert set(book.resets.values()) == {3}
            client.checker.finish()
            assert await second.metric("tickwire_candles_resets_total", reason="hole") == 0
            assert await second.metric("tickwire_candles_charts") == len(FEW) * len(INTERVALS)
            await eventually(lambda: reader.rows == book.held[FEW[0], "1s"])
            assert reader.resets == 2


async def test_in_one_process() -> None:
    """On the in-memory broker every candle of a second is that of the ticks that the same client was told."""
    lines: dict[tuple[int, int], bytes] = {}

    def see(raw: bytes) -> None:
        frame = json.loads(raw)
        if frame["op"] == "snapshot":
            epoch.append(frame["epoch"])
        for tick in frame["data"] if frame["op"] in {"ticks", "snapshot"} else ():
            lines[epoch[-1], tick["seq"]] = json.dumps(tick).encode()

    epoch: list[int] = []
    async with (
        demo() as stream,
        ClientSession() as http,
        StreamClient(http, Checker("client"), seen=see) as client,
    ):
        await client.connect(stream)
        assert await client.subscribe("AAPL") == {}
        await client.until(lambda: lines)
        assert await client.subscribe("AAPL", candles="1s") == {}
        book = client.checker.candles
        await client.until(lambda: book.settled(("AAPL", "1s")))
        first = max(book.held["AAPL", "1s"])
        await client.until(lambda: max(book.held["AAPL", "1s"]) >= first + 4_000_000)
        held, truth = book.held["AAPL", "1s"], recount(sorted(lines.items()), "1s")
        whole = [start for start in truth if first < start < max(held)]
        assert len(whole) >= 2
        assert [held[start] for start in whole] == [truth[start] for start in whole]
        assert not any(held[start].get("partial") for start in whole)
        client.checker.finish()


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """Run `tickwire demo`; yield the address of its stream."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    settings = {
        "TICKWIRE_LOG_STYLE": "json",
        "TICKWIRE_OPS_PORT": "0",
        "TICKWIRE_PORT": "0",
        "TICKWIRE_RATE": "400",
    }
    command = (sys.executable, "-m", "tickwire", "demo")
    process = await asyncio.create_subprocess_exec(*command, env=kept | settings, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            async for line in process.stdout:
                if (event := json.loads(line))["event"] == "demo.started":
                    break
        yield event["stream"]
    finally:
        process.kill()
        await process.wait()


def _start(candle: object) -> int:
    assert isinstance(candle, dict)
    return int(candle["start"])
