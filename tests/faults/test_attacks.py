"""Hostile clients: storms, floods, names that are no symbols, frames that are none (F15, F16, F17, F24, F25).

A hundred honest clients are on the same gateway.  Under each attack their p99 stays below three times what it was
in the second before it (5 ms count as the least), none is dropped, and none misses a tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from tests.brokers import Broker
from tests.conftest import clean
from tests.faults.figures import Figures
from tests.faults.honest import QUIET, SYMBOLS, Honest
from tests.queues import queues
from tests.stack import Stack

PLACES: Final = 1_000
"""Connections that the gateway takes in all."""
GROWN_MB: Final = 5.0
CROWD_KB: Final = 30.0
"""Of each connection that was let in and left again; an allocator keeps some of what it once had."""
LAG_MS: Final = 100.0
TURNED_AWAY: Final = {"503", "close 1013"}
CHURNS: Final = 5
"""Commands a second about 200 names: each counts as nine, so that 5.5 a second are allowed."""
THROWN_OUT: Final = {"close 4429", "close 1008", "dropped"}

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="honest")
async def _honest(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Honest]:
    """A hundred honest clients, who must have had every tick in the end."""
    await clean(amqp_url)
    async with Stack(amqp_url) as stack:
        settings = {"MAX_CONNECTIONS": PLACES}
        async with Honest(stack, tmp_path_factory.mktemp("honest"), gateways=(settings,)) as honest:
            yield honest
            await honest.settle()


def sizes(few: tuple[int, float], many: tuple[int, float]) -> list[object]:
    """The short run of `make test`, and the one that the issue asks for."""
    return [few, pytest.param(*many, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("comers", "seconds"), sizes((2_500, 1.5), (10_000, 5.0)))
async def test_connection_storm(comers: int, seconds: float, honest: Honest, figures: Figures) -> None:
    """Whoever comes when there is no room is told when to come back, and no file is left behind (F15)."""
    fault = f"F15 {comers:,} connections"
    raid = await honest.under(fault, figures, "storm", clients=comers, seconds=seconds)
    figures.within(fault, "p99 of the loop's lag", raid.lag_ms, LAG_MS, "ms")
    figures.within(fault, "files left open", raid.files, 0, "")
    figures.told(fault, "seconds until all had an answer", raid.seconds, "s")
    assert raid.inputs == comers == raid.outcomes.total()
    assert raid.outcomes.keys() == {"welcome", *TURNED_AWAY}
    assert raid.outcomes["welcome"] <= PLACES - honest.held
    assert raid.grown <= PLACES * CROWD_KB * 1024


@pytest.mark.parametrize(("clients", "seconds"), sizes((5, 1.5), (5, 15.0)))
async def test_command_flood(
    clients: int, seconds: float, honest: Honest, broker_control: Broker, figures: Figures
) -> None:
    """Who sends 1,000 commands a second is closed with 4429, and costs the broker one queue a symbol (F16)."""
    fault = f"F16 {clients} clients of 1,000 commands/s for {seconds:g} s"
    symbols, before = ",".join(SYMBOLS + QUIET), set(await asyncio.to_thread(queues, broker_control))
    raid = await honest.under(
        fault, figures, "flood", clients=clients, rate=1_000, seconds=seconds, symbols=symbols
    )
    assert raid.outcomes.keys() == {"close 4429"}
    assert raid.outcomes["close 4429"] >= clients
    # Queues have names of their own and are kept for 30 s: each that was declared is still there.
    after = set(await asyncio.to_thread(queues, broker_control))
    figures.within(fault, "queues declared", len(after - before), len(QUIET), "")


@pytest.mark.parametrize(("clients", "seconds"), sizes((3, 1.5), (5, 15.0)))
async def test_churn_within_the_limits(clients: int, seconds: float, honest: Honest, figures: Figures) -> None:
    """Who asks for as much as the limits allow, 200 symbols at a time, costs the others nothing they notice."""
    fault = f"F16 churn within the limits, {clients} clients for {seconds:g} s"
    symbols = ",".join(SYMBOLS + QUIET)
    raid = await honest.under(
        fault, figures, "churn", clients=clients, rate=CHURNS, seconds=seconds, symbols=symbols
    )
    assert raid.outcomes == {"within the limits": clients}
    assert raid.inputs >= clients * seconds * CHURNS / 2


@pytest.mark.parametrize(("clients", "seconds"), sizes((10, 1.5), (10, 15.0)))
async def test_hostile_symbols(
    clients: int, seconds: float, honest: Honest, broker_control: Broker, figures: Figures
) -> None:
    """Names that are no symbols are refused one by one; none reaches the broker, and no memory is kept (F17)."""
    fault = f"F17 hostile symbols, {clients} clients for {seconds:g} s"
    before = set(await asyncio.to_thread(queues, broker_control))
    raid = await honest.under(fault, figures, "symbols", clients=clients, seconds=seconds)
    assert raid.outcomes.total() == raid.inputs > 100
    assert raid.outcomes.keys() == {"error bad_symbol", "error too_many_symbols", "rejected", "unsubscribed"}
    after = set(await asyncio.to_thread(queues, broker_control))
    figures.within(fault, "queues declared", len(after - before), 0, "")
    figures.within(fault, "memory", raid.grown / 1024**2, GROWN_MB, "MB")


@pytest.mark.parametrize(("clients", "seconds"), sizes((4, 1.5), (4, 15.0)))
async def test_frames_that_are_none(clients: int, seconds: float, honest: Honest, figures: Figures) -> None:
    """A header of 2^63 bytes, a million fragments, a deflate bomb: 1009 or 1002, and no memory (F24)."""
    fault = f"F24 frames, {clients} clients for {seconds:g} s"
    raid = await honest.under(fault, figures, "frames", clients=clients, seconds=seconds)
    figures.within(fault, "memory", raid.grown / 1024**2, GROWN_MB, "MB")
    assert raid.outcomes.keys() == {
        "huge: close 1009",
        "large: close 1009",
        "fragments: close 1002",
        "bomb: close 1002",
    }
    assert raid.inputs > 1_000_000


@pytest.mark.parametrize(("clients", "seconds"), sizes((4, 1.5), (4, 15.0)))
async def test_ping_flood(clients: int, seconds: float, honest: Honest, figures: Figures) -> None:
    """Who sends 10,000 pings a second and reads no pong is thrown out, and no pong piles up (F25)."""
    fault = f"F25 {clients} clients of 10,000 pings/s for {seconds:g} s"
    raid = await honest.under(fault, figures, "pings", clients=clients, rate=10_000, seconds=seconds)
    figures.within(fault, "memory", raid.grown / 1024**2, GROWN_MB, "MB")
    assert raid.outcomes.keys() <= THROWN_OUT
    assert raid.outcomes.total() >= clients
