"""Streams of Server-Sent Events from gateways that are real processes on a real RabbitMQ."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from producer.sources.universe import load
from tests.checker import Checker
from tests.eventstream import EventStream
from tests.eventually import eventually
from tests.stack import Stack, Tickwire
from tests.witness import Record

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)][:20]
RATE: Final = 400
SETTLE_S: Final = 8.0

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]


def url(gateway: Tickwire) -> str:
    """Where *gateway* serves HTTP."""
    return f"http://127.0.0.1:{gateway.port}"


async def test_gateways_killed(stack: Stack) -> None:
    """A gateway is killed under 10 streams, 3 times; each goes on at the other one and has every tick once."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, SEED=7)
        await stack.start("history", {})
        gateways = [await stack.gateway(), await stack.gateway()]
        for gateway in gateways:
            await gateway.ready()
        streams = [
            EventStream(stack.http, SYMBOLS[n % 4 :: 4], Checker(f"stream {n}", content=record.content))
            for n in range(10)
        ]
        for stream in streams:
            await stream.connect(url(gateways[0]))
            await stream.until(lambda s=stream: s.checker.ticks > 20)  # type: ignore[misc]
        outcomes = []
        for _ in range(3):
            victim, other = gateways
            await victim.kill()
            for stream in streams:
                assert await stream.gone() == "cut"
                await stream.connect(url(other))
                outcomes.append(stream.resumed)
            for stream in streams:
                ticks = stream.checker.ticks
                await stream.until(lambda s=stream, t=ticks: s.checker.ticks > t + 20)  # type: ignore[misc]
            gateways = [other, await stack.gateway()]
            await gateways[1].ready()
        await producer.stop()
        await eventually(lambda: all(stream.checker.settled(record.last) for stream in streams), deadline=SETTLE_S)

        for stream in streams:
            stream.checker.finish(record.last, record.ends)
            for symbol in stream.symbols:
                account = stream.checker.account(symbol)
                assert (account.missing, account.open, account.conflated) == ({}, {}, 0)
            await stream.close()
        assert set(outcomes) == {"all"}
        assert sum(stream.checker.ticks for stream in streams) > 500


async def test_a_gateway_stops(stack: Stack) -> None:
    """SIGTERM: `reconnect`, a clean end, exit code 0; the streams go on elsewhere, when they were told to."""
    async with Record(stack.broker_url) as record:
        producer = await stack.producer(RATE=RATE, SEED=7)
        await stack.start("history", {})
        first, second = await stack.gateway(), await stack.gateway()
        await first.ready()
        await second.ready()
        streams = [EventStream(stack.http, SYMBOLS[:3], Checker(f"stream {n}")) for n in range(5)]
        for stream in streams:
            await stream.connect(url(first))
            await stream.until(lambda s=stream: s.checker.ticks > 5)  # type: ignore[misc]
        stopping = asyncio.create_task(first.stop())
        for stream in streams:
            assert await stream.gone() == "clean"
            assert stream.frames[-1]["op"] == "reconnect"
            assert stream.retry_ms == max(stream.frames[-1]["in_ms"], 250)
            await stream.connect(url(second))
        assert await stopping < 6
        await producer.stop()
        await eventually(lambda: all(stream.checker.settled(record.last) for stream in streams), deadline=SETTLE_S)

        for stream in streams:
            stream.checker.finish(record.last, record.ends)
            assert stream.resumed == "all"
            assert all(not stream.checker.account(symbol).missing for symbol in stream.symbols)
            await stream.close()


async def test_without_history(stack: Stack) -> None:
    """Where nobody has what a stream lacks, the head says `gap`, and an event names it."""
    async with Record(stack.broker_url) as record, EventStream(stack.http, ["NVDA"]) as stream:
        producer = await stack.producer(RATE=RATE, SEED=7)
        first, second = await stack.gateway(), await stack.gateway()
        await first.ready()
        await second.ready()
        await stream.connect(url(first))
        await stream.until(lambda: stream.checker.ticks > 5)
        await stream.close()
        left = stream.checker.cursor("NVDA")
        assert left is not None
        await eventually(lambda: record.last["NVDA"] > (left.epoch, left.seq + 20), deadline=20)
        await stream.connect(url(second))
        ticks = stream.checker.ticks
        await stream.until(lambda: stream.checker.ticks > ticks + 5)

        assert stream.resumed == "gap"
        assert stream.checker.account("NVDA").missing["unavailable"] >= 20
        stream.checker.check()
        await producer.stop()
