"""Gateways that end: killed under their clients (F13), and replaced one after another (F14)."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from services.runtime.files import allow_files
from tests.faults.figures import Figures
from tests.faults.market import HISTORY_EXISTS, Market, Subscriber
from tests.stack import Stack, Tickwire

JITTER_S: Final = 1.0
"""Over which clients spread their return."""
BACK_S: Final = 5.0
SNAPSHOT_S: Final = 1.0 + 2.0
"""The first tick on the new connection; a symbol of the market ticks 25 times a second, 2 s are the machine's."""

pytestmark = pytest.mark.timeout(240)


async def go_on(market: Market, clients: list[Subscriber], gateway: Tickwire) -> float:
    """Let *clients* come back to *gateway* and resume, each after some jitter; return the seconds it took all."""
    dice, began = random.Random(1), time.monotonic()

    async def one(client: Subscriber, after: float) -> None:
        await client.stream.gone()
        await asyncio.sleep(after)  # as real clients do
        await market.move(client, gateway)

    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(one(client, dice.uniform(0, JITTER_S)))
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("count", "each", "rate"), [(48, 10, 500), pytest.param(1_000, 1, 200, marks=pytest.mark.slow)]
)
async def test_gateway_killed(
    *, count: int, each: int, rate: int, stack: Stack, tmp_path: Path, figures: Figures
) -> None:
    """Clients of a gateway that is killed resume at the other one and lose nothing (F13)."""
    fault = f"F13 gateway killed under {count // 2} of {count} clients"
    allow_files(4 * count + 1_000)
    async with Market(stack, tmp_path, clients=count, each=each, rate=rate) as market:
        dead, other = market.gateways
        moving = market.of(dead)
        await dead.kill()
        market.gateways.remove(dead)
        spent = await go_on(market, moving, other)
        figures.within(fault, "all are back", spent, JITTER_S + BACK_S)
        figures.within(fault, "every symbol flows", await market.flowing(), BACK_S)
        outcome = await market.settle()
        assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)


async def test_rolling_restart(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Every gateway is replaced under load: its clients are closed with 1012, resume, lose nothing (F14)."""
    fault = "F14 rolling restart"
    async with Market(stack, tmp_path) as market:
        for old in list(market.gateways):
            moving = market.of(old)
            market.gateways.remove(old)
            (other,) = market.gateways
            stopping = asyncio.create_task(old.stop())
            await go_on(market, moving, other)
            figures.told(fault, "a gateway's end", await stopping, "s")
            codes = Counter(client.ends[-1] for client in moving)
            assert codes == {1012: len(moving)}
            figures.within(fault, "every symbol flows", await market.flowing(moving), SNAPSHOT_S)
            new = await market.start("gateway", {})
            await new.ready()
            # Somebody must have been there, or, without history, a resume finds nothing.
            if not HISTORY_EXISTS:
                await market.flowing(await market.join(new, 4))
        outcome = await market.settle()
        assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)
