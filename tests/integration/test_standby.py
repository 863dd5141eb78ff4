"""A leader and its standby as real processes: killed, frozen, cut off, and what a client sees of it."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from producer.leadership import PATIENCE_S
from tests.brokers import Broker
from tests.checker import Checker
from tests.eventually import eventually
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

RATE: Final = 400
LOAD: Final = 2_000
FEW: Final = ["NVDA", "TSLA", "AAPL"]
DEATH_S: Final = 5.0
"""A standby leads so soon after its leader's death."""
FREEZE_S: Final = 8.0
"""And so soon after its leader froze: the broker gives up after 4.3 s, two heartbeats of 2 s and a little."""
SETTLE_S: Final = 8.0

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def watching(stack: Stack, record: Record) -> AsyncIterator[StreamClient]:
    """A client that has ticks of every one of FEW; history says how an epoch ended, and where a run goes on."""
    await (await stack.start("history", {})).ready()
    gateway = await stack.gateway()
    await gateway.ready()
    async with StreamClient(stack.http, Checker("client", content=record.content)) as client:
        await client.connect(gateway.stream)
        assert await client.subscribe(*FEW) == {}
        await client.until(lambda: all(client.checker.account(symbol).snapshots for symbol in FEW))
        await client.until(lambda: client.checker.ticks > 50)
        yield client


async def later(client: StreamClient, epoch: int, deadline: float) -> float:
    """Return the seconds until a tick of a later epoch than *epoch* came for every one of FEW."""
    began = time.monotonic()

    def new(symbol: str) -> bool:
        cursor = client.checker.cursor(symbol)
        return cursor is not None and cursor.epoch > epoch and cursor.seq > 0

    await client.until(lambda: all(map(new, FEW)), deadline)
    return time.monotonic() - began


async def leading(producer: Tickwire) -> int:
    """Return the epoch that *producer* leads with, once it does."""
    await producer.ready()
    line = await producer.logged("producer.begun")
    assert await producer.metric("tickwire_producer_leading") == 1
    return int(line["epoch"])


async def standing_by(producer: Tickwire) -> None:
    """Return once *producer* waits for its leader."""
    await producer.logged("producer.waiting")
    assert await producer.ready() == "standby"
    assert await producer.metric("tickwire_producer_leading") == 0
    assert await producer.metric("tickwire_producer_epoch") == 0


async def settled(client: StreamClient, record: Record) -> None:
    """Return once the client stands at the last positions, within 8 s; then judge it."""
    await eventually(lambda: client.checker.settled(record.last), deadline=SETTLE_S)
    client.checker.finish(record.last)


async def test_a_standby_leads_after_a_death(stack: Stack) -> None:
    """A killed leader is followed by its standby within 5 s, under a later epoch, with nothing unexplained."""
    async with Record(stack.broker_url) as record:
        leader = await stack.producer(RATE=LOAD, STANDBY="true")
        epoch = await leading(leader)
        standby = await stack.producer(RATE=LOAD, STANDBY="true")
        await standing_by(standby)
        async with watching(stack, record) as client:
            await leader.kill()
            took = await later(client, epoch, DEATH_S)
            print(f"\ntakeover after kill -9: {took:.2f} s")  # noqa: T201 - the figure that the test is about
            assert await leading(standby) > epoch
            assert await standby.metric("tickwire_producer_epochs_total") == 1
            before = client.checker.ticks
            await client.until(lambda: client.checker.ticks > before + 200)
            await standby.stop()
            await settled(client, record)
            assert all(client.checker.account(symbol).open == {} for symbol in FEW)


async def test_a_leader_that_ends_leaves_at_once(stack: Stack) -> None:
    """A leader that is stopped confirms its last tick before the standby begins: no hole in either epoch."""
    async with Record(stack.broker_url) as record:
        leader = await stack.producer(RATE=RATE)
        epoch = await leading(leader)
        standby = await stack.producer(RATE=RATE, STANDBY="true")
        await standing_by(standby)
        async with watching(stack, record) as client:
            await leader.stop()
            await later(client, epoch, DEATH_S)
            await standby.stop()
            await settled(client, record)


@pytest.mark.slow
async def test_a_standby_leads_after_a_freeze(stack: Stack) -> None:
    """A frozen leader is followed within 3 heartbeats; woken, it waits, and what it writes confuses nobody."""
    async with Record(stack.broker_url) as record:
        leader = await stack.producer(RATE=RATE, STANDBY="true")
        epoch = await leading(leader)
        standby = await stack.producer(RATE=RATE, STANDBY="true")
        await standing_by(standby)
        async with watching(stack, record) as client:
            gateway = stack.processes[-1]
            leader.freeze()
            took = await later(client, epoch, FREEZE_S)
            print(f"\ntakeover after SIGSTOP: {took:.2f} s")  # noqa: T201 - the figure that the test is about
            second = await leading(standby)
            leader.thaw()
            await leader.logged("producer.suspended")
            await leader.logged("producer.over", deadline=PATIENCE_S + 10)
            assert await leader.ready() == "standby"
            assert await leader.metric("tickwire_producer_leading") == 0
            fenced = await gateway.metric("tickwire_ticks_fenced_total")
            print(f"ticks of the old epoch that the gateway dropped: {fenced:.0f}")  # noqa: T201
            before = client.checker.ticks
            await client.until(lambda: client.checker.ticks > before + 50)
            assert all(cursor.epoch == second for s in FEW if (cursor := client.checker.cursor(s)))
            await standby.kill()
            await later(client, second, DEATH_S)
            assert await leader.metric("tickwire_producer_epochs_total") == 2
            await leader.stop()
            await settled(client, record)


@pytest.mark.slow
async def test_a_second_producer_is_refused(stack: Stack) -> None:
    """Without --standby a producer that finds another one ends after 10 s with a sentence that names both ways."""
    leader = await stack.producer(RATE=RATE)
    epoch = await leading(leader)
    second = await Tickwire.start(
        "producer", {"BROKER_URL": stack.broker_url, "LOG_STYLE": "json", "RATE": RATE}, stack.http
    )
    try:
        line = await second.logged("process.failed", deadline=PATIENCE_S + 10)
        assert line["error"] == "LeaseTaken"
        assert "shard main" in line["reason"]
        assert "--standby" in line["reason"]
        assert await second.ended() == 1
    finally:
        await second.kill()
    assert await leader.metric("tickwire_producer_epoch") == epoch
    assert await leader.metric("tickwire_producer_leading") == 1


async def test_a_lost_lease_suspends(stack: Stack, broker_control: Broker) -> None:
    """A leader whose lease connection is closed publishes nothing until it is back, and then without a hole."""
    async with Record(stack.broker_url) as record:
        leader = await stack.producer(RATE=RATE)
        epoch = await leading(leader)
        async with watching(stack, record) as client:
            for times in (1, 2, 3):
                close_connection(broker_control, "producer lease")
                await eventually(lambda times=times: _count(leader, "producer.resumed") == times, deadline=20)  # type: ignore[misc]
            before = client.checker.ticks
            await client.until(lambda: client.checker.ticks > before + 50)
            assert await leader.metric("tickwire_producer_epoch") == epoch
            assert await leader.metric("tickwire_producer_ticks_total", result="lost") == 0
            await leader.stop()
            await settled(client, record)
            accounts = [client.checker.account(symbol) for symbol in FEW]
            assert all((account.missing, account.open) == ({}, {}) for account in accounts)


async def test_a_restarted_broker_keeps_the_lease(stack: Stack, broker_control: Broker) -> None:
    """After a hard restart of the broker the leader goes on in the same epoch."""
    leader = await stack.producer(RATE=RATE)
    epoch = await leading(leader)
    broker_control.stop(hard=True)
    await leader.logged("producer.suspended")
    broker_control.start()
    await leader.logged("producer.resumed", deadline=60)
    assert await leader.metric("tickwire_producer_epoch") == epoch
    assert await leader.metric("tickwire_producer_epochs_total") == 1
    async with Record(stack.broker_url) as record:
        await eventually(lambda: record.last.keys() >= set(FEW), deadline=30)
        assert {position[0] for position in record.last.values()} == {epoch}


def close_connection(broker: Broker, name: str) -> None:
    """Close the connection called *name*, as an operator would."""
    listed = broker.ctl("list_connections", "pid", "client_properties").splitlines()
    (pid,) = [line.split("\t")[0] for line in listed if re.search(rf'"{name}"', line)]
    broker.ctl("close_connection", pid, "the test asked for it")


def _count(process: Tickwire, event: str) -> int:
    return sum(line.get("event") == event for line in process.log)
