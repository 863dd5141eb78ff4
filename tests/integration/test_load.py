"""The whole path under load: 2,000 ticks/s, 100 symbols, two gateways, clients with 10 symbols each.

40 clients for 10 s (8,000 deliveries/s), which leaves room on two cores that other work loads, too.  The figure
that is quoted is made by TICKWIRE_LOAD_CLIENTS=200 TICKWIRE_LOAD_S=60 (40,000 deliveries/s: no core is left).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import orjson
import pytest
import uvloop

from producer.sources.universe import load
from tests.checker import Checker
from tests.eventually import eventually
from tests.loadclient import LoadClient
from tests.processor import cpu_by_command
from tests.recomputed import Recomputed
from tests.stack import Stack, Tickwire, latency_quantile
from tests.witness import LastMarks

LOOPS = {"uvloop": uvloop.new_event_loop}

LISTINGS: Final = load(None)
SYMBOLS: Final = [str(listing.symbol) for listing in LISTINGS]
CLIENTS: Final = int(os.environ.get("TICKWIRE_LOAD_CLIENTS", "40"))
EACH: Final = 10
RATE: Final = 2_000
SEED: Final = 11
SECONDS: Final = float(os.environ.get("TICKWIRE_LOAD_S", "10"))
SAMPLE: Final = 50
"""Every 50th frame's ticks are recomputed and their age is measured; order and cursors are checked of all."""
SETTLE_S: Final = 8.0
SHARES: Final = (0.5, 0.99)
STAGES: Final = ("broker", "fanout", "total")


class Samples:
    """Every 50th frame of ticks: how old its last tick was when a client had read it, and what it said.

    What it said is compared when the load is over: the simulation, run again, costs as much as a producer, and a
    client that computes is slow, and is treated as slow.
    """

    def __init__(self) -> None:
        self.ages: list[float] = []
        """In seconds; this machine's clock made the tick's `ts`."""
        self._frames: list[bytes] = []
        self._due = SAMPLE

    def seen(self, raw: bytes) -> None:
        """Look at a frame."""
        self._due -= 1
        if self._due <= 0 and raw.startswith(b'{"op":"ticks"'):
            self._due = SAMPLE
            at = raw.rindex(b'"ts":') + 5
            self.ages.append(time.time() - int(raw[at : raw.index(b",", at)]) / 1e6)
            self._frames.append(raw)

    def quantile(self, share: float) -> float:
        """Return the age that *share* of the frames did not exceed."""
        return sorted(self.ages)[int(share * (len(self.ages) - 1))]

    def compare(self, recomputed: Recomputed) -> int:
        """Compare each tick with the one that the seed leads to; return how many ticks that were."""
        ticks = [tick for raw in self._frames for tick in orjson.loads(raw)["data"]]
        for tick in ticks:
            expected = recomputed.content(tick["symbol"], 0, tick["seq"])
            assert expected.items() <= tick.items(), (tick, expected)
        return len(ticks)


class Spent:
    """The CPU that was used since the beginning: by the processes of the test, and by the rest of the machine."""

    def __init__(self, processes: Mapping[str, Tickwire]) -> None:
        self._processes = processes
        self._began, self._before, self._all = time.monotonic(), self._now(), cpu_by_command()

    def shares(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the shares of one core, of this test's processes and of the busiest commands of the machine."""
        seconds = time.monotonic() - self._began
        own = {name: used - self._before[name] for name, used in self._now().items()}
        most = (cpu_by_command() - self._all).most_common(8)
        return {k: round(v / seconds, 2) for k, v in own.items()}, {k: round(v / seconds, 2) for k, v in most}

    def _now(self) -> dict[str, float]:
        used = {name: process.cpu_s() for name, process in self._processes.items()}
        return used | {"clients and checkers": time.process_time()}


@asynccontextmanager
async def connected(samples: Samples, urls: Sequence[str]) -> AsyncIterator[list[LoadClient]]:
    """Connect all clients, in turns to each of *urls*."""
    async with AsyncExitStack() as connections:
        clients = []
        for n in range(CLIENTS):
            checker = Checker(f"client {n}", sample=SAMPLE)
            client = await connections.enter_async_context(LoadClient(checker, seen=samples.seen))
            await client.connect(urls[n % len(urls)])
            clients.append(client)
        yield clients


def delivered(clients: Sequence[LoadClient]) -> int:
    """Return how many ticks the clients have received."""
    return sum(client.checker.ticks for client in clients)


@pytest.mark.load
@pytest.mark.timeout(120 + 2 * SECONDS)
async def test_load(stack: Stack) -> None:
    """No hole, no duplicate, no reorder, no missing last tick; the latencies are printed."""
    samples = Samples()
    producer = await stack.producer(RATE=RATE, SEED=SEED)
    gateways = [await stack.gateway() for _ in range(2)]
    for gateway in gateways:
        await gateway.ready()
    urls = [gateway.stream for gateway in gateways]
    async with LastMarks(stack.broker_url) as witness, connected(samples, urls) as clients:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for n, client in enumerate(clients):
                symbols = [SYMBOLS[(n * 7 + k * 11) % len(SYMBOLS)] for k in range(EACH)]
                tasks.create_task(client.subscribe(*symbols))
        subscribing = time.monotonic() - began
        samples.ages.clear()
        spent = Spent({"producer": producer, "gateway 1": gateways[0], "gateway 2": gateways[1]})
        began, first = time.monotonic(), delivered(clients)
        await asyncio.sleep(SECONDS)  # the load's length, not a synchronisation
        rate = (delivered(clients) - first) / (time.monotonic() - began)
        own, machine = spent.shares()
        seen = [samples.quantile(share) * 1e3 for share in SHARES]
        shown = [await gateway.metrics() for gateway in gateways]
        await producer.stop()
        last = await witness.read()
        assert last.keys() == set(SYMBOLS)
        await eventually(lambda: all(client.checker.settled(last) for client in clients), deadline=SETTLE_S)
        for client in clients:
            client.checker.finish(last)
            assert not client.rejected, client.checker.name
            assert len(client.checker.subscribed) == EACH, client.checker.name

    explained: Counter[str] = Counter()
    for client in clients:
        for symbol in SYMBOLS:
            explained += client.checker.account(symbol).missing + client.checker.account(symbol).open
    # What is printed is the result (pytest -s, or -rP).
    lines = [
        f"{SECONDS:.0f} s: {rate:.0f} ticks/s to {CLIENTS} clients; subscribing took {subscribing:.2f} s",
        f"share of a core: {own}; of the whole machine: {machine}",
        f"ticks that were not coming, by reason: {dict(explained)}",
    ]
    for share, seen_ms in zip(SHARES, seen, strict=True):
        for metrics in shown:
            stages = {stage: round(latency_quantile(metrics, share, stage) * 1e3, 2) for stage in STAGES}
            lines.append(f"p{share * 100:g} in ms, since the gateway's start: {stages}")
        lines.append(f"p{share * 100:g} in ms, read by the clients: {seen_ms:.2f}")
    print(*lines, sep="\n")  # noqa: T201 - see above
    assert rate > 0.5 * RATE * CLIENTS * EACH / len(SYMBOLS)
    assert samples.compare(Recomputed(SEED, LISTINGS, RATE)) > 0
