"""`tickwire load` against the demo: a real gateway, over real sockets."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from producer.sources.universe import load as listings
from services.runtime.clock import SystemClock
from tests.brokers import free_ports
from tests.eventually import eventually
from tickwire.load import crowd, plan
from tickwire.load.crowd import load
from tickwire.load.plan import Kind, members
from tickwire.load.tally import Tally
from tickwire.watch import Target

CLIENTS = 20
"""Of which one is slow."""
DEADLINE_S = 60.0
NAMES = [listing.symbol for listing in listings(None)]


@asynccontextmanager
async def _demo() -> AsyncIterator[Target]:
    port, ops = free_ports(2)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    settings = {"TICKWIRE_PORT": str(port), "TICKWIRE_OPS_PORT": str(ops), "TICKWIRE_LOG_STYLE": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickwire", "demo", env=kept | settings, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        while orjson.loads(await process.stdout.readline())["event"] != "demo.started":
            pass
        yield Target(f"ws://127.0.0.1:{port}/v1/stream")
    finally:
        process.kill()
        await process.communicate()


async def test_every_kind_gets_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients of every kind are let in and sent ticks, some come back, and the promise is kept for all of them."""
    tallies: list[Tally] = []

    def begun(now: float) -> Tally:
        tallies.append(Tally(now))
        return tallies[0]

    monkeypatch.setattr(crowd, "Tally", begun)
    monkeypatch.setattr(plan, "STAY_S", dict.fromkeys(plan.STAY_S, (0.5, 1.0)))
    stop = asyncio.Event()
    async with _demo() as target:
        loading = asyncio.create_task(
            load(target, members(CLIENTS, names=NAMES, each=10, seed=3), clock=SystemClock(), stop=stop)
        )
        try:
            await eventually(lambda: bool(tallies) and tallies[0].welcomes > CLIENTS, deadline=DEADLINE_S)
            await eventually(lambda: all(tallies[0].ticks[kind] for kind in Kind), deadline=DEADLINE_S)
        finally:
            stop.set()
            await loading

    assert (tallies[0].violations, dict(tallies[0].ends), dict(tallies[0].complaints)) == (0, {}, {})
    assert tallies[0].skipped[Kind.PACED] > 0
