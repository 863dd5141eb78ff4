"""Clients that read too slowly (F18), or not at all (F19), beside others: what they cost, what they are told."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from producer.sources.universe import load
from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.figures import Figures
from tests.slowclient import SlowClient
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
RATE: Final = 1_000
"""Ticks a second: 190 KB/s for a client of all symbols."""
SLOW: Final = 30
READ: Final = 1_024.0
STUCK: Final = 20
GONE_S: Final = 30.0
"""Until who reads nothing is gone: what the kernel takes for it (2 to 4 s of this load), then 10 s without a byte.
The sockets go at that moment, too."""
TICKS: Final = 22_000
"""That the client beside gets until memory is looked at: 22 s, twice what a stuck client is given."""
STAY: Final = 45_000
"""And until they have stayed: 45 s.  With TCP_USER_TIMEOUT the kernel ended them after 31."""
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


class Ages:
    """How old the last tick of each frame was when a client had read it, in seconds."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def seen(self, raw: bytes) -> None:
        """Look at a frame."""
        if raw.startswith(b'{"op":"ticks"'):
            at = raw.rindex(b'"ts":') + 5
            self.found.append(time.time() - int(raw[at : raw.index(b",", at)]) / 1e6)

    def p99_ms(self) -> float:
        """Return the 99th percentile since the last call, in ms."""
        found, self.found = sorted(self.found), []
        return found[int(0.99 * (len(found) - 1))] * 1e3


@pytest.mark.slow
async def test_slow_readers_are_conflated_and_cost_a_bounded_memory(stack: Stack, figures: Figures) -> None:
    """30 clients that read 1 KB/s stay connected, cost under 300 KB each, and catch up once they read (F18)."""
    fault, ages = "F18 readers of 1 KB/s", Ages()
    async with Record(stack.broker_url) as record, AsyncExitStack() as stay:
        producer = await stack.producer(RATE=RATE)
        gateway = await stack.gateway()
        await gateway.ready()
        beside = await stay.enter_async_context(StreamClient(stack.http, Checker("beside"), seen=ages.seen))
        await beside.connect(gateway.stream)
        assert await beside.subscribe(*SYMBOLS) == {}
        await beside.until(lambda: beside.checker.ticks > 2 * RATE)
        figures.told(fault, "a neighbour's p99 before", ages.p99_ms(), "ms")
        before = gateway.memory()["Rss"]
        slow = [
            await stay.enter_async_context(SlowClient(Checker(f"slow {n}", conflates=True), READ))
            for n in range(SLOW)
        ]
        for client in slow:
            await client.follow(gateway.stream, *SYMBOLS)
        await beside.until(lambda: beside.checker.ticks > TICKS + 2 * RATE, deadline=60)

        grown = (gateway.memory()["Rss"] - before) / SLOW / 1024
        figures.told(fault, "a neighbour's p99 beside them", ages.p99_ms(), "ms")
        # Without a bound 4 MB waited for each.
        figures.within(fault, "memory of each", grown, EACH_KB, "KB")
        await beside.until(lambda: beside.checker.ticks > STAY + 2 * RATE, deadline=60)
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


async def test_who_reads_nothing_is_gone_at_once(stack: Stack, figures: Figures) -> None:
    """20 clients that take no byte are dropped after 10 s, sockets and memory with them; the others stay (F19)."""
    fault = "F19 zero-window readers"
    async with AsyncExitStack() as stay:
        producer = await stack.producer(RATE=RATE)
        assert producer.alive
        gateway = await stack.gateway()
        await gateway.ready()
        beside = await stay.enter_async_context(StreamClient(stack.http, Checker("beside")))
        await beside.connect(gateway.stream)
        assert await beside.subscribe(*SYMBOLS) == {}
        await beside.until(lambda: beside.checker.ticks > 2 * RATE)
        before = gateway.memory()["Rss"]
        clients = [await stay.enter_async_context(SlowClient(Checker(f"stuck {n}"), 0)) for n in range(STUCK)]
        for client in clients:
            await client.follow(gateway.stream, *SYMBOLS)
        began = time.monotonic()
        assert all(connected_to(gateway, client.port) for client in clients)
        while await gateway.metric("tickwire_evictions_total", reason="stuck") < STUCK:
            assert time.monotonic() - began < 2 * GONE_S
            await beside.until(lambda seen=beside.checker.ticks: beside.checker.ticks > seen)  # type: ignore[misc]
        # Not in TIME_WAIT nor any other state: each was reset, and what waited in the kernel is free.
        assert not any(connected_to(gateway, client.port) for client in clients)
        figures.within(fault, "all of them gone, with their sockets", time.monotonic() - began, GONE_S)
        grown = (gateway.memory()["Rss"] - before) / 1024**2
        figures.within(fault, "memory that stays", grown, before / 1024**2 * 0.1 + 8, "MB")
        assert await gateway.metric("tickwire_closes_total", code="4408", side="server") == STUCK
        assert await gateway.metric("tickwire_connections") == 1
        beside.checker.finish()
        assert sum(beside.checker.account(symbol).conflated for symbol in SYMBOLS) == 0
