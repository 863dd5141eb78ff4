"""Two producers of one shard at once, as after a lease that split: neither knows of the other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from gateway.feed import Feed
from producer import app as producer
from producer.settings import ProducerSettings
from services.broker.history import AbsentHistory, History
from services.broker.memory import MemoryBroker
from services.market.symbol import Symbol
from tests.eventually import eventually
from tests.faults.test_unkind_broker import CLOCK, SYMBOLS, Ears, Wanderer, _wander

ONLY_THE_OLD_ONE = Symbol("OLD")


@pytest.mark.parametrize(
    "remembered", [pytest.param(True, id="history", marks=pytest.mark.slow), pytest.param(False, id="no-history")]
)
async def test_two_producers_confuse_no_client(remembered: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """Clients account for every tick of the newer one; what the older one still says is dropped and counted."""
    broker, dice = MemoryBroker(clock=CLOCK), Random(3)
    memory: History = broker.history() if remembered else AbsentHistory()
    feeds = [
        Feed(broker.source(name), memory, clock=CLOCK, deliver=lambda _messages, _received, _began: 0.0)
        for name in ("one", "two")
    ]
    old, new = Ears(broker.sink("old")), Ears(broker.sink("new"))
    stops = asyncio.Event(), asyncio.Event()

    async def produce(ears: Ears, stop: asyncio.Event, *more: Symbol) -> None:
        path = _listing(tmp_path / f"{len(more)}.csv", more)
        settings = ProducerSettings.model_validate({"rate": 1000, "ops_port": 0, "symbols": path, "drain_s": 10})
        await producer.run(settings, ears, clock=CLOCK, registry=CollectorRegistry(), stop=stop)

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(feed.run()) for feed in feeds]
        await eventually(lambda: all(feed.stats().connected for feed in feeds), deadline=20)
        older = tasks.create_task(produce(old, stops[0], ONLY_THE_OLD_ONE))
        await eventually(lambda: all(ONLY_THE_OLD_ONE in feed.directory for feed in feeds), deadline=20)
        clients = [Wanderer(number, feeds, dice) for number in range(8)]
        await _wander(clients, dice, seconds=1.0)
        newer = tasks.create_task(produce(new, stops[1]))
        await _wander(clients, dice, seconds=3.0)
        for client in clients:
            client.stay()
        assert all(set(feed.directory) == set(SYMBOLS) for feed in feeds)

        stops[1].set()
        await newer
        await eventually(lambda: all(_settled(client, new) for client in clients), deadline=20)
        for client in clients:
            client.checker.finish(new.last)
        stops[0].set()
        await older
        for task in running:
            task.cancel()
    assert min(epoch for epoch, _ in new.last.values()) > max(epoch for epoch, _ in old.last.values())
    assert all(feed.stats().tally.fenced > 100 for feed in feeds)
    assert sum(client.checker.ticks for client in clients) > 1000


def _settled(client: Wanderer, ears: Ears) -> bool:
    client.settle()
    return client.checker.settled(ears.last) and not client.checker.unanswered


def _listing(path: Path, more: tuple[Symbol, ...]) -> Path:
    rows = [f"{symbol},{symbol} Inc.,100.00,0.3,1.0,{10 - n}" for n, symbol in enumerate((*SYMBOLS, *more))]
    path.write_text("\n".join(["symbol,name,price,volatility,beta,weight", *rows]) + "\n")
    return path
