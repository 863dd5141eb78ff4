"""Clients whose network swallows everything: they are told apart from quiet ones by their pongs (F20)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.session import PING_S
from services.runtime.files import allow_files
from tests.checker import Checker
from tests.faults.figures import Figures
from tests.faults.market import SYMBOLS, Market
from tests.proxy import Proxy, proxied
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient

COUNT: Final = int(os.environ.get("TICKWIRE_FAULT_GONE", "200"))
GONE_S: Final = 2 * PING_S + 5
"""Two pings without a pong; the wheel that looks turns every 0.25 s."""


@asynccontextmanager
async def half_open(stack: Stack, proxy: Proxy) -> AsyncIterator[None]:
    """Clients of one symbol each behind *proxy*; at the end their connections are torn."""
    async with AsyncExitStack() as stay:
        for n in range(COUNT):
            client = StreamClient(stack.http, Checker(f"half-open {n}"))
            await client.connect(f"ws://127.0.0.1:{proxy.port}/v1/stream")
            stay.push_async_callback(client.abort)
            assert await client.subscribe(SYMBOLS[n % len(SYMBOLS)]) == {}
        yield


def open_files(process: Tickwire) -> int:
    """Return how many files and sockets *process* has open."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_half_open_clients(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """200 clients that vanish without a word are gone after two pings, files with them; the others see nothing."""
    fault = f"F20 {COUNT} half-open clients"
    allow_files(16 * COUNT)
    async with Market(stack, tmp_path, gateways=({},)) as market:
        (gateway,) = market.gateways
        before, staying = open_files(gateway), await gateway.metric("tickwire_connections")
        async with proxied("127.0.0.1", gateway.port) as proxy, half_open(stack, proxy):
            assert await gateway.metric("tickwire_connections") == staying + COUNT
            proxy.freeze()
            began = time.monotonic()
            while await gateway.metric("tickwire_connections") > staying:
                assert time.monotonic() - began < 2 * GONE_S
                await asyncio.sleep(0.5)
            figures.within(fault, "all of them gone", time.monotonic() - began, GONE_S)
            figures.within(fault, "files that stay open", open_files(gateway) - before, 2, "files")
            evicted = [
                await gateway.metric("tickwire_evictions_total", reason=reason) for reason in ("silent", "stuck")
            ]
            assert sum(evicted) == COUNT
        outcome = await market.settle()
        assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)
