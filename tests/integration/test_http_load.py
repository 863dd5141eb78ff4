"""Pollers beside streams: quotes of 100 symbols are asked for while ticks flow, and what that costs the streams.

20 polls a second beside 1,000 ticks/s to 10 clients for 8 s, which a machine with other work can do, too.  The
quoted figure is made on two idle cores by TICKWIRE_POLLS=100 TICKWIRE_POLLED_TICKS=5000 TICKWIRE_LOAD_S=30.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import pytest
import uvloop

from producer.sources.universe import load
from tests.checker import Checker
from tests.loadclient import LoadClient
from tests.stack import Samples, Stack, Tickwire, histogram_quantile, latency_quantile

LOOPS = {"uvloop": uvloop.new_event_loop}

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
POLLS: Final = float(os.environ.get("TICKWIRE_POLLS", "20"))
"""Requests a second."""
TICKS: Final = float(os.environ.get("TICKWIRE_POLLED_TICKS", "1000"))
SECONDS: Final = float(os.environ.get("TICKWIRE_LOAD_S", "8"))
CLIENTS: Final = 10
SERVED: Final = "tickwire_http_seconds"
QUOTES: Final = f"/v1/quotes?symbols={','.join(SYMBOLS[:100])}"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 3 * SECONDS)]


async def poll(stack: Stack, gateway: Tickwire, at: float) -> tuple[float, int]:
    """Ask once at *at*; return the seconds from then to the whole answer, and its status."""
    await asyncio.sleep(max(0.0, at - time.monotonic()))
    headers = {"Accept-Encoding": "gzip"}
    async with stack.http.get(f"http://127.0.0.1:{gateway.port}{QUOTES}", headers=headers) as answer:
        await answer.read()
        return time.monotonic() - at, answer.status


async def polled(stack: Stack, gateway: Tickwire, polls: float) -> list[float]:
    """Ask *polls* times a second, each when it is due and not when the one before has its answer."""
    began = time.monotonic()
    count = round(SECONDS * polls)
    found = await asyncio.gather(*(poll(stack, gateway, began + n / polls) for n in range(count)))
    await asyncio.sleep(max(0.0, began + SECONDS - time.monotonic()))  # the load's length, not a synchronisation
    assert [status for _, status in found] == [200] * count
    return sorted(seconds for seconds, _ in found)


def since(before: Samples, after: Samples) -> Samples:
    """What was counted in between."""
    return {key: value - before.get(key, 0.0) for key, value in after.items()}


def shown(name: str, figures: Samples, cpu: float) -> str:
    """A line of what the gateway's streams were like."""
    total = [1e3 * latency_quantile(figures, share) for share in (0.5, 0.99)]
    ticks = figures["tickwire_ticks_received_total", frozenset()] / SECONDS
    out = figures["tickwire_ticks_sent_total", frozenset()] / SECONDS
    return (
        f"{name}: {ticks:,.0f} ticks/s in, {out:,.0f} out; streams p50 {total[0]:.1f} ms, p99 {total[1]:.1f} ms; "
        f"{100 * cpu / SECONDS:.0f} % of a core"
    )


def quantile(values: Sequence[float], share: float) -> float:
    """In milliseconds."""
    return 1e3 * values[int(share * (len(values) - 1))]


async def test_pollers(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Every poll is answered, the streams beside go on without a hole, and what both were like is printed."""
    await stack.start("history", {})
    await stack.producer(RATE=TICKS, SEED=11)
    gateway = await stack.gateway(HTTP_RATE=100_000, HTTP_BURST=1_000_000)
    await gateway.ready()
    async with AsyncExitStack() as connections:
        clients = [
            await connections.enter_async_context(LoadClient(Checker(f"client {n}", sample=50), seen=_unseen))
            for n in range(CLIENTS)
        ]
        for client in clients:
            await client.connect(gateway.stream)
            await client.subscribe(*SYMBOLS)
        lines, seconds, served = [], list[float](), [0.0, 0.0]
        for name, polls in (("streams alone", 0.0), ("with pollers", POLLS), ("streams alone", 0.0)):
            before, spent = await gateway.metrics(), gateway.cpu_s()
            if polls:
                seconds = await polled(stack, gateway, polls)
            else:
                await asyncio.sleep(SECONDS)  # the load's length, not a synchronisation
            figures = since(before, await gateway.metrics())
            if polls:
                served = [
                    1e3 * histogram_quantile(figures, share, SERVED, route="quotes") for share in (0.5, 0.99)
                ]
            lines.append(shown(name, figures, gateway.cpu_s() - spent))
        for client in clients:
            client.checker.check()
    seen = [quantile(seconds, share) for share in (0.5, 0.99)]
    answered = [
        f"{POLLS:g} polls/s, in the gateway: p50 {served[0]:.1f} ms, p99 {served[1]:.1f} ms",
        f"the same, in this process, which checks all streams: p50 {seen[0]:.1f} ms, p99 {seen[1]:.1f} ms",
    ]
    with capsys.disabled():
        print("", *lines, *answered, sep="\n")  # noqa: T201 - the figure is the point


def _unseen(raw: bytes) -> None:
    """Nobody looks at the frames but the checker."""
