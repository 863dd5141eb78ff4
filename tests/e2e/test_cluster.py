"""The stack with three RabbitMQ nodes, of which one is killed: docker-compose.cluster.yml."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.e2e.stack import Stack
from tests.e2e.until import SOON, until
from tests.e2e.visitor import Visitor, visitors
from tests.eventually import eventually

pytestmark = [pytest.mark.timeout(1500), pytest.mark.slow]

NODES: Final = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")
SHARED: Final = ("tickwire.history", "tickwire.lease.main")
LOGS: Final = ("tickwire.log", "tickwire.candles", "tickwire.revocations")
SYMBOLS: Final = ("AAPL", "MSFT", "NVDA", "AMZN", "JPM")
VISITORS: Final = 4
ENOUGH: Final = 50
BACK_S: Final = 60.0
"""Until a node that was killed is a member again."""


@pytest.fixture(name="cluster", scope="module")
def _cluster(notes: list[str]) -> Iterator[Stack]:
    """Return the running stack with three nodes."""
    stack = Stack("docker-compose.yml", "docker-compose.cluster.yml")
    try:
        stack.up()
        yield stack
    finally:
        notes += [f"cluster: {note}" for note in stack.notes]
        stack.down()


async def test_copies(cluster: Stack) -> None:
    """Each shared queue and each log has a copy on each of three nodes, and Prometheus sees every node."""
    queues = await until(lambda: _queues(cluster), lambda found: {*SHARED, *LOGS} <= found.keys())
    kinds = {name: queues[name]["type"] for name in (*SHARED, *LOGS)}
    members = {name: set(queues[name]["members"]) for name in (*SHARED, *LOGS)}

    assert kinds == {**dict.fromkeys(SHARED, "quorum"), **dict.fromkeys(LOGS, "stream")}
    assert all(found == {f"rabbit@{node}" for node in NODES} for found in members.values()), members
    up = await until(lambda: cluster.values('up{job="rabbitmq"}'), lambda found: len(found) == 3)
    assert set(up) == {f"{node}:15692" for node in NODES}


@pytest.mark.parametrize("node", ["rabbitmq-2", "rabbitmq"], ids=["the gateways' node", "the producer's node"])
async def test_node_killed(cluster: Stack, node: str) -> None:
    """A node is killed: clients stay connected and go on, history answers, the canary finds no violation."""
    context = cluster.authority()
    async with visitors(VISITORS, SYMBOLS, url=cluster.url, context=context) as guests:
        await eventually(lambda: all(guest.checker.ticks >= ENOUGH for guest in guests), deadline=SOON)
        await asyncio.to_thread(cluster.compose, "kill", node)
        before = [guest.checker.ticks for guest in guests]
        answered = await asyncio.to_thread(_answers, cluster)
        await eventually(lambda: _went_on(guests, before), deadline=SOON)
        assert [guest.connections for guest in guests] == [1] * VISITORS
        # A newcomer's snapshots of symbols that nobody followed are history's answers.
        async with visitors(1, ("IBM", "KO", "PEP"), url=cluster.url, context=context) as newcomers:
            await eventually(lambda: newcomers[0].checker.ticks > 0, deadline=SOON)
            await until(lambda: _answers(cluster), lambda now: now > answered)
        await asyncio.to_thread(cluster.wait_healthy, node)
        await until(lambda: _running(cluster), lambda found: len(found) == len(NODES), patience=BACK_S)
    violations = await until(lambda: cluster.values("sum by (instance) (tickwire_canary_violations_total)"), bool)
    assert violations == {"canary:9103": 0}
    assert cluster.values("tickwire_canary_connected") == {"canary:9103": 1}


def _queues(stack: Stack) -> dict[str, dict[str, Any]]:
    printed = stack.compose(
        *("exec", "-T", "rabbitmq-3", "rabbitmqctl", "--quiet", "--formatter=json"),
        *("list_queues", "name", "type", "members"),
    )
    return {queue["name"]: queue for queue in json.loads(printed)}


def _running(stack: Stack) -> list[str]:
    printed = stack.compose(
        "exec", "-T", "rabbitmq-3", "rabbitmqctl", "--quiet", "--formatter=json", "cluster_status"
    )
    nodes: list[str] = json.loads(printed)["running_nodes"]
    return nodes


def _answers(stack: Stack) -> float:
    return sum(stack.values("sum by (instance) (tickwire_history_answers_total)").values())


def _went_on(guests: list[Visitor], before: list[int]) -> bool:
    return all(
        guest.connected and guest.checker.ticks >= ticks + ENOUGH
        for guest, ticks in zip(guests, before, strict=True)
    )
