"""The whole path under load: 2,000 ticks/s, 100 symbols, two gateways, 200 clients with 10 symbols each."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Final

import pytest

from producer.sources.universe import load
from tests.checker import Checker
from tests.eventually import eventually
from tests.recomputed import Recomputed
from tests.stack import Stack, latency_quantile
from tests.streamclient import StreamClient
from tests.witness import LastTicks

LISTINGS: Final = load(None)
SYMBOLS: Final = [str(listing.symbol) for listing in LISTINGS]
CLIENTS: Final = 200
EACH: Final = 10
RATE: Final = 2_000
SEED: Final = 11
SECONDS: Final = float(os.environ.get("TICKWIRE_LOAD_S", "10"))
SAMPLE: Final = 50
"""Every 50th tick's content is recomputed, and every 50th frame's age measured; order is checked of all."""
SETTLE_S: Final = 8.0


class Ages:
    """How old a frame's last tick is when a client has read it, in seconds; this clock made the tick's `ts`."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._due = SAMPLE

    def seen(self, raw: bytes) -> None:
        """Look at a frame."""
        self._due -= 1
        if self._due <= 0 and raw.startswith(b'{"op":"ticks"'):
            self._due = SAMPLE
            at = raw.rindex(b'"ts":') + 5
            self.seconds.append(time.time() - int(raw[at : raw.index(b",", at)]) / 1e6)

    def quantile(self, share: float) -> float:
        """Return the age that *share* of the sampled ticks did not exceed."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


@pytest.mark.load
@pytest.mark.timeout(120 + 2 * SECONDS)
async def test_load(stack: Stack) -> None:
    """No hole, no duplicate, no reorder, no missing last tick; the latencies are printed."""
    recomputed, ages = Recomputed(SEED, LISTINGS, RATE), Ages()
    async with LastTicks(stack.broker_url, SYMBOLS) as witness, AsyncExitStack() as connections:
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        gateways = [await stack.gateway() for _ in range(2)]
        for gateway in gateways:
            await gateway.ready()
        clients = []
        for n in range(CLIENTS):
            checker = Checker(f"client {n}", content=recomputed.content, sample=SAMPLE)
            client = await connections.enter_async_context(StreamClient(stack.http, checker, seen=ages.seen))
            await client.connect(gateways[n % 2].stream)
            clients.append(client)
        await asyncio.gather(
            *(
                client.subscribe(*(SYMBOLS[(n * 7 + k * 11) % len(SYMBOLS)] for k in range(EACH)))
                for n, client in enumerate(clients)
            )
        )
        ages.seconds.clear()
        before = [gateway.cpu_s() for gateway in gateways]
        began, first = time.monotonic(), sum(client.checker.ticks for client in clients)
        await asyncio.sleep(SECONDS)  # the load's length, not a synchronisation
        spent = time.monotonic() - began
        delivered = sum(client.checker.ticks for client in clients) - first
        cpu = [gateway.cpu_s() - used for gateway, used in zip(gateways, before, strict=True)]
        shown = [await gateway.metrics() for gateway in gateways]
        await producer.stop()
        last = await witness.read()
        assert last.keys() == set(SYMBOLS)
        await eventually(lambda: all(client.checker.settled(last) for client in clients), deadline=SETTLE_S)
        for client in clients:
            client.checker.finish(last)
            assert len(client.checker.subscribed) == EACH

    explained: Counter[str] = Counter()
    for client in clients:
        for symbol in SYMBOLS:
            explained += client.checker.account(symbol).missing + client.checker.account(symbol).open
    # What is printed is the result (pytest -s, or -rP).
    print(f"{SECONDS:.0f} s: {delivered / spent:.0f} ticks/s delivered, CPU of the gateways {cpu} s")  # noqa: T201
    print(f"ticks that were not coming, by reason: {dict(explained)}")  # noqa: T201
    for share in (0.5, 0.99):
        stages = [f"{latency_quantile(samples, share) * 1e3:.2f}" for samples in shown]
        print(f"p{share * 100:.0f}: /metrics {stages} ms, clients {ages.quantile(share) * 1e3:.2f} ms")  # noqa: T201
    assert delivered / spent > 0.5 * RATE * CLIENTS * EACH / len(SYMBOLS)
    assert recomputed.compared > 0
