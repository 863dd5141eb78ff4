"""A cluster of three nodes: the gateway's own node killed (F5), a node parted from the others (F6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.cluster import Cluster
from tests.conftest import clean
from tests.faults.figures import Figures
from tests.faults.market import NOTICE_S, STALE_S, Market
from tests.stack import Stack

ELSEWHERE_S: Final = 10.0
"""Until a gateway whose node is gone serves again from another one."""
APART_S: Final = 10.0
FLOW_S: Final = 10.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(name="stack")
async def _stack(cluster: Cluster) -> AsyncIterator[Stack]:
    """Processes on a cluster that holds nothing of Tickwire's; its first node is theirs where they name none."""
    await clean(cluster.urls[2])
    async with Stack(cluster.urls[2]) as stack:
        yield stack


@pytest.mark.slow
async def test_node_killed(stack: Stack, cluster: Cluster, tmp_path: Path, figures: Figures) -> None:
    """Clients get all that another node's producer publishes; their node killed, they go on from a third (F5)."""
    fault = "F5 gateway's node killed"
    first, second, third = cluster.urls
    gateways = ({"BROKER_URL": f"{first},{second},{third}"}, {"BROKER_URL": f"{second},{first},{third}"})
    # Who knows three nodes makes the queues of requests and of the lease quorum queues, which outlive their node.
    behind = {"BROKER_URL": f"{third},{second},{first}"}
    async with Market(
        stack, tmp_path, producers=(behind,), histories=(behind, behind), gateways=gateways
    ) as market:
        near, beside = market.gateways
        # Bound through node 1 while node 3 publishes: a confirmed binding may lag there.
        await market.join(near, 8)
        figures.within(fault, "every symbol flows across nodes", await market.flowing(), FLOW_S)
        whole = market.outcome()
        assert (whole.missing, whole.open) == ({}, {})
        await market.bound_once(cluster.nodes[1])
        began = time.monotonic()
        await asyncio.to_thread(cluster.nodes[0].stop, hard=True)
        try:
            await market.flowing(market.of(near))
            figures.within(fault, "its clients' symbols flow again", time.monotonic() - began, ELSEWHERE_S)
            await market.bound_once(cluster.nodes[1])
            outcome = await market.settle(third)
            figures.told(fault, "ticks told missing", sum(outcome.missing.values()))
            seen = market.outcome(market.of(beside))
            assert (seen.missing, seen.open, seen.conflated) == ({}, {}, 0)
        finally:
            await asyncio.to_thread(cluster.restart, 0)


@pytest.mark.slow
async def test_minority_partition(stack: Stack, cluster: Cluster, tmp_path: Path, figures: Figures) -> None:
    """A node alone: its gateway says stale or moves, the others see nothing; healed, no consumer is mute (F6)."""
    fault = "F6 node parted"
    first, second, third = cluster.urls
    gateways = (
        {"BROKER_URL": third},
        {"BROKER_URL": f"{third},{second}"},
        {"BROKER_URL": first},
    )
    ahead = {"BROKER_URL": f"{first},{second},{third}"}
    async with Market(stack, tmp_path, producers=(ahead,), histories=(ahead, ahead), gateways=gateways) as market:
        alone, moving, beside = market.gateways
        parting = cluster.parted(2)
        await asyncio.to_thread(parting.__enter__)
        began = time.monotonic()  # not before: rabbitmqctl takes 0.4 to 1.5 s until the node has obeyed
        try:
            told = await market.told("stale", began, market.of(alone))
            figures.within(fault, "the lonely gateway's clients told stale", told, NOTICE_S)
            await market.flowing(market.of(moving))
            moved = time.monotonic() - began
            figures.within(fault, "flows where there is a second address", moved, ELSEWHERE_S)
            await asyncio.sleep(APART_S + STALE_S - (time.monotonic() - began))  # the length of the fault
        finally:
            await asyncio.to_thread(parting.__exit__, None, None, None)
            healed = time.monotonic()
            await asyncio.to_thread(cluster.join)
        figures.told(fault, "the node is back after the network", time.monotonic() - healed, "s")
        figures.within(fault, "every symbol flows after that", await market.flowing(), FLOW_S)
        await market.bound_once(cluster.nodes[0])
        outcome = await market.settle(first, unavailable=True)
        figures.told(fault, "ticks told missing", sum(outcome.missing.values()))
        seen = market.outcome(market.of(beside))
        assert (seen.missing, seen.open, seen.conflated) == ({}, {}, 0)
