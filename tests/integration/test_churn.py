"""Clients that come and go: the broker keeps exactly what the remaining followers need, and memory is flat."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import pytest

from producer.sources.universe import load
from tests.brokers import Broker
from tests.checker import Checker
from tests.eventually import eventually
from tests.queues import followed, queues
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient

SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
CLIENTS: Final = 100
WARM_UP: Final = 5_000
"""Operations before memory is looked at: what code and allocator cost once stays out."""
OPERATIONS: Final = 10_000
RATE: Final = 500
GRACE_S: Final = 1
STAY: Final = 2
"""Clients that stay when the others leave, one at each gateway: they follow about half of the symbols each."""
PER_OPERATION: Final = 300
"""Bytes of private memory that a gateway may gain per operation (up to 175 were measured): a request that is kept
after its answer takes 800."""
PER_TICK: Final = 300
"""Bytes that it may gain per tick: the tapes, bounded, fill up meanwhile (240 B a tick were measured)."""

pytestmark = pytest.mark.timeout(300)


async def _churn(client: StreamClient, operations: int, choices: random.Random) -> None:
    """Subscribe and unsubscribe at random, up to five commands without waiting for an answer."""
    for _ in range(operations):
        names = choices.sample(SYMBOLS, choices.randint(1, 3))
        if choices.random() < 0.5:
            identity = await client.say("subscribe", symbols=names)
        else:
            identity = await client.say("unsubscribe", symbols=names)
        if choices.random() < 0.2:
            await client.answered(identity)
    await client.until(lambda: not client.checker.unanswered)


async def _all_churn(clients: Sequence[StreamClient], operations: int, seed: int) -> None:
    each = operations // len(clients)
    await asyncio.gather(*(_churn(client, each, random.Random(seed + n)) for n, client in enumerate(clients)))


def _needed(clients: Sequence[StreamClient]) -> Counter[str]:
    """Return how many gateways have a follower of each symbol; clients alternate between two."""
    return Counter(
        symbol
        for gateway in (clients[::2], clients[1::2])
        for symbol in set().union(*(client.checker.subscribed for client in gateway))
    )


def _private(gateways: Sequence[Tickwire]) -> list[int]:
    return [gateway.memory()["Private_Dirty"] for gateway in gateways]


async def test_churn(stack: Stack, broker_control: Broker) -> None:
    """After 10,000 random operations of 100 clients, queues and memory are what the followers left need."""
    producer = await stack.producer(RATE=RATE)
    gateways = [await stack.gateway(IDLE_GRACE_S=GRACE_S, COMMAND_RATE=1000) for _ in range(2)]
    for gateway in gateways:
        await gateway.ready()
    async with AsyncExitStack() as connections:
        clients = [StreamClient(stack.http, Checker(f"client {n}", sample=20)) for n in range(CLIENTS)]
        for n, client in enumerate(clients):
            await connections.enter_async_context(client)
            await client.connect(gateways[n % 2].stream)
        await _all_churn(clients, WARM_UP, 1)
        before, began = _private(gateways), time.monotonic()
        await _all_churn(clients, OPERATIONS, 1_000)
        gained = [now - then for now, then in zip(_private(gateways), before, strict=True)]
        spent = time.monotonic() - began

        await eventually(lambda: followed(broker_control) == _needed(clients), deadline=GRACE_S + 20)
        for client in clients:
            await client.list()
            client.checker.finish()
        for n, client in enumerate(clients):
            if n >= STAY:
                await client.close()
        assert 0 < len(_needed(clients[:STAY])) < len(SYMBOLS)
        await eventually(lambda: followed(broker_control) == _needed(clients[:STAY]), deadline=GRACE_S + 20)
    await eventually(lambda: not followed(broker_control), deadline=GRACE_S + 20)
    # What is left: control messages and history's replies for each gateway, replies for the producer, the lease.
    assert len(queues(broker_control)) == 2 * len(gateways) + 2
    print(f"private memory of the gateways gained in {spent:.0f} s: {gained} B")  # noqa: T201 - the figure is the result
    most = PER_OPERATION * OPERATIONS // len(gateways) + PER_TICK * RATE * spent
    assert max(gained) <= most, (gained, most)
    await producer.stop()
