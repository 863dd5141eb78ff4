"""Clients that read too slowly, or not at all, beside others: what they cost and what they are told."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from producer.sources.universe import load
from tests.checker import Checker
from tests.eventually import eventually
from tests.slowclient import SlowClient
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
RATE: Final = 1_000
"""Ticks a second: 190 KB/s for a client of all symbols."""
SLOW: Final = 30
READ: Final = 1_024.0
STUCK_S: Final = 2
"""Of the client that reads nothing; the slow ones are given the default, 10 s."""
TICKS: Final = 22_000
"""That the client beside gets meanwhile: 22 s, twice what a stuck client is given."""
EACH_KB: Final = 300
"""What docs/architecture.md promises per client, with the kernel's 94 KB, which are not the process's."""
SETTLE_S: Final = 8.0

pytestmark = pytest.mark.timeout(180)


def connected_to(gateway: Tickwire, port: int) -> bool:
    """Whether the kernel has a socket of the gateway's that leads to *port*, in any state."""
    ends = [line.split()[1:3] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        int(here.rpartition(":")[2], 16) == gateway.port and int(there.rpartition(":")[2], 16) == port
        for here, there in ends
    )


async def test_slow_readers_are_conflated_and_cost_a_bounded_memory(stack: Stack) -> None:
    """30 clients that read 1 KB/s stay connected, cost less than 300 KB each, and catch up once they read."""
    async with Record(stack.broker_url) as record, AsyncExitStack() as stay:
        producer = await stack.producer(RATE=RATE)
        gateway = await stack.gateway()
        await gateway.ready()
        beside = await stay.enter_async_context(StreamClient(stack.http, Checker("beside")))
        await beside.connect(gateway.stream)
        assert await beside.subscribe(*SYMBOLS) == {}
        await beside.until(lambda: beside.checker.ticks > 2 * RATE)
        before = gateway.memory()["Rss"]
        slow = [
            await stay.enter_async_context(SlowClient(Checker(f"slow {n}", conflates=True), READ))
            for n in range(SLOW)
        ]
        for client in slow:
            await client.follow(gateway.stream, *SYMBOLS)
        await beside.until(lambda: beside.checker.ticks > TICKS + 2 * RATE, deadline=60)

        grown = (gateway.memory()["Rss"] - before) / SLOW / 1024
        assert grown < EACH_KB, f"{grown:.0f} KB per client; without a bound {TICKS * 190 // 1024} KB waited"
        assert await gateway.metric("tickwire_slow_clients_total") >= SLOW
        evicted = {
            reason: await gateway.metric("tickwire_evictions_total", reason=reason)
            for reason in ("stuck", "silent")
        }
        assert evicted == {"stuck": 0, "silent": 0}
        assert not any(client.ended.is_set() for client in slow)

        for client in slow:
            client.rate = float("inf")
        await producer.stop()
        await eventually(lambda: record.last.keys() == set(SYMBOLS))
        checkers = [beside.checker, *(client.checker for client in slow)]
        await eventually(lambda: all(c.settled(record.last) for c in checkers), deadline=SETTLE_S)
        for checker in checkers:
            checker.finish(record.last, record.ends)
        assert sum(beside.checker.account(symbol).conflated for symbol in SYMBOLS) == 0
        for client in slow:
            assert sum(client.checker.account(symbol).conflated for symbol in SYMBOLS) > TICKS / 2


async def test_who_reads_nothing_is_gone_at_once(stack: Stack) -> None:
    """A client that takes no byte is dropped after `TICKWIRE_STUCK_S`, and its socket with it; the others stay."""
    producer = await stack.producer(RATE=RATE)
    assert producer.alive
    gateway = await stack.gateway(STUCK_S=STUCK_S)
    await gateway.ready()
    async with StreamClient(stack.http, Checker("beside")) as beside, SlowClient(Checker("stuck"), 0) as stuck:
        await beside.connect(gateway.stream)
        assert await beside.subscribe(*SYMBOLS) == {}
        await stuck.follow(gateway.stream, *SYMBOLS)
        assert connected_to(gateway, stuck.port)
        async with asyncio.timeout(30):
            while not await gateway.metric("tickwire_evictions_total", reason="stuck"):
                await beside.until(lambda seen=beside.checker.ticks: beside.checker.ticks > seen)  # type: ignore[misc]
        # Not in TIME_WAIT nor any other state: it was reset, and what waited in the kernel is free.
        assert not connected_to(gateway, stuck.port)
        assert await gateway.metric("tickwire_closes_total", code="4408", side="server") == 1
        assert await gateway.metric("tickwire_connections") == 1
        beside.checker.check()
