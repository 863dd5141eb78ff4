"""Gateways go away: killed under their clients (F13), again and again, or replaced one by one (F14)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.brokers import Broker
from tests.faults.crowd import Crowd, quantile
from tests.faults.figures import Figures
from tests.stack import Stack

RECOVERY_S: Final = 10.0
"""Longest recovery of a client after its gateway was killed, on a machine that does all the rest too."""
FLOW_S: Final = 5.0
HISTORIES: Final[Sequence[Mapping[str, object]]] = ({}, {})

pytestmark = pytest.mark.timeout(900)


class Load(NamedTuple):
    """How many clients follow how many of 100 symbols each, at how many ticks per second."""

    clients: int
    each: int
    rate: int
    kills: int


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load(60, 4, 500, 3), id="3 kills"),
        pytest.param(Load(1_000, 3, 1_000, 1), id="1,000 clients", marks=pytest.mark.slow),
        pytest.param(Load(500, 4, 2_000, 20), id="20 kills", marks=pytest.mark.slow),
    ],
)
async def test_gateway_killed(load: Load, stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Clients of a gateway that is killed resume on another one and have every tick exactly once (F13)."""
    clients, each, rate, kills = load
    fault = f"F13 gateway killed {kills} x, {clients} clients, {rate} ticks/s"
    took: list[float] = []
    async with Crowd(stack, tmp_path, clients=clients, each=each, rate=rate, histories=HISTORIES) as crowd:
        for _ in range(kills):
            victim = crowd.gateways.pop(0)
            orphans = crowd.on(victim)
            assert len(orphans) > clients // 4
            for client in crowd.clients:
                client.expect()
            await victim.kill()
            took += await crowd.recovered(orphans)
            await crowd.recovered(crowd.clients)
            crowd.gateways.append(await stack.gateway())
            await crowd.gateways[-1].ready()
            await crowd.rebalance()
        told = await crowd.settle()
    figures.told(fault, "ticks delivered", crowd.delivered)
    figures.within(fault, "lost, duplicated or unexplained", sum(told.values()), 0, "ticks")
    figures.told(fault, "full recovery of a client, p50", quantile(took, 0.5), "s")
    figures.within(fault, "full recovery of a client, p99", quantile(took, 0.99), RECOVERY_S)
    assert told == {}


async def test_rolling_restart(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Gateways replaced one by one say 1012 to every client, end in time, and cost nobody a tick (F14)."""
    fault = "F14 rolling restart of all gateways"
    given = {"UNREADY_S": 0.5}
    took: list[float] = []
    async with Crowd(
        stack, tmp_path, clients=60, each=4, rate=500, gateways=(given, given), histories=HISTORIES
    ) as crowd:
        for old in list(crowd.gateways):
            new = await stack.gateway(**given)
            await new.ready()
            crowd.gateways.append(new)
            crowd.gateways.remove(old)
            leaving = crowd.on(old)
            assert leaving
            for client in leaving:
                client.expect()
            figures.within(fault, "a gateway's end after SIGTERM", await old.stop(), 10.5)
            took += await crowd.recovered(leaving)
        told = await crowd.settle()
    closes = [code for client in crowd.clients for code in client.closes]
    figures.told(fault, "connections ended", len(closes))
    figures.within(fault, "of them not with 1012", sum(code != 1012 for code in closes), 0, "")
    figures.within(fault, "full recovery of a client, p99", quantile(took, 0.99), RECOVERY_S)
    figures.within(fault, "lost, duplicated or unexplained", sum(told.values()), 0, "ticks")


@pytest.mark.slow
async def test_broker_killed_five_times(
    stack: Stack, broker_control: Broker, tmp_path: Path, figures: Figures
) -> None:
    """Five times killed under load, the broker costs no client its connection; holes are repaired or named."""
    fault = "F1 broker killed 5 x"
    rate = int(os.environ.get("TICKWIRE_FAULT_RATE", "1000"))
    took: list[float] = []
    async with Crowd(stack, tmp_path, clients=200, each=4, rate=rate, histories=HISTORIES) as crowd:
        for _ in range(5):
            await asyncio.to_thread(broker_control.stop, hard=True)
            await asyncio.to_thread(broker_control.start)
            for client in crowd.clients:
                client.expect()
            took += await crowd.recovered(crowd.clients)
        told = await crowd.settle()
    figures.within(fault, "WebSocket closes", sum(len(client.closes) for client in crowd.clients), 0, "")
    figures.told(fault, "every symbol of a client flows after the port is open, p50", quantile(took, 0.5), "s")
    figures.within(fault, "the slowest", max(took), FLOW_S)
    figures.told(fault, "ticks delivered", crowd.delivered)
    for reason, count in sorted(told.items()):
        figures.told(fault, f"told instead: {reason}", count)
