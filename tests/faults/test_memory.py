"""A gateway under a memory limit, with twice the ticks that a gateway is asked for and slow clients (F31)."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.tape import RING_BYTES, RING_TICKS
from producer.backlog import QUEUE_BYTES, WIRE
from producer.sources.universe import load
from tests.checker import Checker
from tests.faults.figures import Figures
from tests.loadclient import LoadClient
from tests.slowclient import SlowClient
from tests.stack import Samples, Stack, Tickwire

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
RATED: Final = 2_000
"""Ticks a second of the load that docs/guarantees.md measures with; here come twice as many."""
PROMPT: Final = 10
"""Clients that read all they are sent, and follow everything: 0.76 MB/s each."""
SLOW: Final = 30
READ: Final = 1_024.0
STUCK: Final = 20
EACH_BYTES: Final = 300 * 1024
"""What docs/architecture.md promises per client."""
MARGIN_MB: Final = 96
"""What the gateway may take beside what it had with its prompt clients: 50 clients of 300 KB, rings of 25 MB."""
FOR_S: Final = 25.0
"""Twice what a client that takes nothing is given."""
LOOK_S: Final = 0.25
HISTORY_MB: Final = 32

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def limit_memory(process: Tickwire, more: int) -> int:
    """Let *process* take no more than *more* bytes of address space beside what it has; return the limit."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, limit))
    return limit


class Peaks:
    """The largest values of some metrics."""

    def __init__(self, **bounds: float) -> None:
        self.bounds = bounds
        self.found = dict.fromkeys(bounds, 0.0)

    def note(self, samples: Samples) -> None:
        """Look at one scrape; a metric with several series counts with its largest one."""
        for (name, _), value in samples.items():
            if name in self.found:
                self.found[name] = max(self.found[name], value)


async def test_every_buffer_holds_its_bound(stack: Stack, figures: Figures) -> None:
    """At twice the rated load, with clients that read little or nothing, no buffer outgrows its bound (F31)."""
    fault = "F31 memory limit, twice the rated load"
    async with AsyncExitStack() as stay:
        history = await stack.start("history", {"MEMORY_MB": HISTORY_MB})
        producer = await stack.producer(RATE=2 * RATED)
        gateway = await stack.gateway()
        await gateway.ready()
        prompt = [
            await stay.enter_async_context(LoadClient(Checker(f"prompt {n}", conflates=True), seen=_ignore))
            for n in range(PROMPT)
        ]
        for client in prompt:
            await client.connect(gateway.stream)
            await client.subscribe(*SYMBOLS)
        await _until(lambda: all(client.checker.ticks > RATED for client in prompt))
        before = gateway.memory()["Rss"]
        limit_memory(gateway, MARGIN_MB * 1024**2)
        lazy = [
            await stay.enter_async_context(
                SlowClient(Checker(f"lazy {n}", conflates=True), READ if n < SLOW else 0)
            )
            for n in range(SLOW + STUCK)
        ]
        for lazy_client in lazy:
            await lazy_client.follow(gateway.stream, *SYMBOLS)
        watched = _watched()
        await _watch({gateway: watched[0], producer: watched[1], history: watched[2]})

        assert gateway.alive
        grown = (gateway.memory()["Rss"] - before) / 1024**2
        figures.within(fault, "the gateway grew by", grown, MARGIN_MB, "MB")
        for peaks in watched:
            for name, bound in peaks.bounds.items():
                figures.within(fault, name, peaks.found[name], bound, "")
        assert await gateway.metric("tickwire_evictions_total", reason="stuck") == STUCK
        assert await gateway.metric("tickwire_clients_slow") >= SLOW - 1  # one may have drained just now
        assert not any(client.ended.is_set() for client in lazy[:SLOW])
        for client in prompt:
            assert client.connected
            client.checker.check()


def _watched() -> tuple[Peaks, Peaks, Peaks]:
    """Return what is looked at of gateway, producer and history, with its bounds."""
    clients, symbols = PROMPT + SLOW + STUCK, len(SYMBOLS)
    return (
        Peaks(
            tickwire_clients_buffered_bytes=clients * EACH_BYTES,
            tickwire_clients_buffered_bytes_max=EACH_BYTES,
            tickwire_ring_ticks=symbols * RING_TICKS,
            tickwire_ring_bytes=symbols * RING_BYTES,
        ),
        Peaks(tickwire_producer_backlog_bytes=QUEUE_BYTES, tickwire_producer_unconfirmed=WIRE),
        Peaks(tickwire_history_bytes_kept=HISTORY_MB * 1024**2),
    )


async def _watch(processes: dict[Tickwire, Peaks]) -> None:
    """Look at the metrics of *processes* for `FOR_S` seconds."""
    end = time.monotonic() + FOR_S
    while time.monotonic() < end:
        for process, peaks in processes.items():
            peaks.note(await process.metrics())
        await asyncio.sleep(LOOK_S)


async def _until(predicate: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not predicate():
        assert time.monotonic() < end
        await asyncio.sleep(LOOK_S)


def _ignore(_: bytes) -> None:
    """Look at nothing."""
