"""Python clients whose gateway is killed under them, again and again, iterate each tick exactly once (F13)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.brokers import free_ports
from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.crowd import SYMBOLS, Crowd, quantile
from tests.faults.figures import Figures
from tests.faults.pythonclient import PythonClient
from tests.faults.syncclient import SyncClient
from tests.stack import Stack
from tests.witness import LastMarks

RECOVERY_S: Final = 10.0
SETTLE_S: Final = 8.0
FLOW_S: Final = 60.0

Client = PythonClient | SyncClient

pytestmark = pytest.mark.timeout(900)


class Load(NamedTuple):
    """How many clients of each kind follow how many of 100 symbols each, at how many ticks per second."""

    clients: int
    synchronous: int
    each: int
    rate: int
    kills: int


@pytest.mark.slow
@pytest.mark.parametrize("load", [Load(10, 2, 8, 2_000, 20)], ids=["20 kills"])
async def test_gateway_killed(load: Load, stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Python clients, asynchronous and not, resume at another gateway and iterate every tick exactly once."""
    ports = free_ports(2)
    gateways = [{"PORT": port} for port in ports]
    streams = [f"ws://127.0.0.1:{port}/v1/stream" for port in ports]
    took: list[float] = []
    async with (
        Crowd(stack, tmp_path, clients=0, each=0, rate=load.rate, gateways=gateways, histories=({}, {})) as crowd,
        AsyncExitStack() as open_clients,
    ):
        clients = _clients(load, streams)
        for client in clients:
            await open_clients.enter_async_context(client)
            if isinstance(client, PythonClient):
                client.begin()
        await _flowing(clients)
        for _ in range(load.kills):
            took += await _kill(crowd, clients)
        last = await _last(crowd)
        try:
            await eventually(lambda: all(_settled(client, last) for client in clients), deadline=SETTLE_S)
        finally:
            for client in clients:
                client.checker.finish(last)
        # In a thread: a synchronous feed is asked, and waited for.
        await asyncio.to_thread(_judge, load, clients, took, figures)


def _clients(load: Load, streams: Sequence[str]) -> list[Client]:
    """Return the clients; every other one begins at the second gateway."""
    clients: list[Client] = []
    for n in range(load.clients + load.synchronous):
        kind = PythonClient if n < load.clients else SyncClient
        symbols = [SYMBOLS[(n * 37 + k * 13) % len(SYMBOLS)] for k in range(load.each)]
        name = f"{kind.__name__} {n}"
        clients.append(kind(name, streams[:: 1 if n % 2 else -1], symbols, Checker(name, sample=50)))
    return clients


async def _flowing(clients: Sequence[Client]) -> None:
    """Return once each client has iterated a tick of each of its symbols that is younger than this call."""
    for client in clients:
        client.recovery.expect()
    await eventually(lambda: not any(client.recovery.pending for client in clients), deadline=FLOW_S)


async def _kill(crowd: Crowd, clients: Sequence[Client]) -> list[float]:
    """Kill the gateway that has the most clients; return how long each of them took to recover from that."""
    held = Counter(client.address for client in clients)
    victim = max(crowd.gateways, key=lambda gateway: held[gateway.stream])
    orphans = [client for client in clients if client.address == victim.stream]
    assert len(orphans) >= len(clients) // 2
    recovering = asyncio.create_task(_flowing(orphans))
    await asyncio.sleep(0)  # time runs from before the kill
    await victim.kill()
    await recovering
    crowd.gateways.remove(victim)
    crowd.gateways.append(await crowd.stack.gateway(PORT=victim.port))
    await crowd.gateways[-1].ready()
    assert all(client.address != victim.stream for client in orphans)
    return [client.recovery.took[-1] for client in orphans]


async def _last(crowd: Crowd) -> dict[str, tuple[int, int]]:
    """Stop the producer; return the last position of each symbol."""
    async with LastMarks(crowd.stack.broker_url) as witness:
        await crowd.producers[0].stop()
        return await witness.read()


def _settled(client: Client, last: Mapping[str, tuple[int, int]]) -> bool:
    """Whether the program that iterates stands at the last position of each of its symbols."""
    return all(client.positions.get(symbol) == last[symbol] for symbol in client.symbols)


def _judge(load: Load, clients: Sequence[Client], took: Sequence[float], figures: Figures) -> None:
    fault = (
        f"F13 gateway killed {load.kills} x, {load.clients} asynchronous and {load.synchronous} synchronous "
        f"Python clients, {load.rate} ticks/s"
    )
    lost, repeated, skipped, delivered = 0, 0, 0, 0
    for client in clients:
        for symbol in client.symbols:
            account = client.feed.account(symbol)
            lost += sum(account.missing.values()) + sum(account.unknown.values())
            repeated += account.repeated
            skipped += account.skipped
            delivered += client.iterated[symbol].count
    unexplained = [fault for client in clients for fault in client.faults]
    figures.told(fault, "ticks iterated", delivered)
    figures.within(fault, "lost", lost, 0, "ticks")
    figures.within(fault, "duplicated", repeated, 0, "ticks")
    figures.within(fault, "unexplained", len(unexplained), 0, "ticks")
    figures.told(fault, "conflated, with their number", skipped, "ticks")
    figures.told(fault, "full recovery of a client, p50", quantile(took, 0.5), "s")
    figures.within(fault, "full recovery of a client, p99", quantile(took, 0.99), RECOVERY_S)
