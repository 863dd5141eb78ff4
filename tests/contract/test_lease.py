"""What `services.broker.lease.Lease` promises, for each adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from services.broker.lease import Lease, LeaseListener
from services.errors import BrokerUnavailable
from tests.contract.controls import Controls
from tests.eventually import eventually, turns


@dataclass(slots=True)
class LeaseRecord(LeaseListener):
    """What a lease told, in order: `waiting`, `lost`, or the epoch with which it was held."""

    told: list[int | str] = field(default_factory=list)

    def on_waiting(self) -> None:
        """Keep it."""
        self.told.append("waiting")

    def on_held(self, epoch: int) -> None:
        """Keep the epoch."""
        self.told.append(epoch)

    def on_lost(self) -> None:
        """Keep it."""
        self.told.append("lost")

    @property
    def held(self) -> bool:
        """Whether the lease is held, as far as was told."""
        return bool(self.told) and isinstance(self.told[-1], int)

    @property
    def waits(self) -> bool:
        """Whether it was asked for in vain so far."""
        return self.told[-1:] == ["waiting"]


@asynccontextmanager
async def running(lease: Lease) -> AsyncIterator[LeaseRecord]:
    """Run *lease* until the end of the block; entered when it was asked for."""
    record = LeaseRecord()
    task = asyncio.create_task(lease.run(record))
    try:
        await eventually(lambda: record.told or task.done(), deadline=30.0)
        if task.done():
            task.result()
        yield record
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_first_one_holds_a_new_lease(broker: Controls) -> None:
    """Who asks first holds the lease, and is told that no epoch was written; cancelling says nothing more."""
    async with running(await broker.lease("a")) as one:
        await eventually(lambda: one.held)
    assert one.told == ["waiting", 0]


async def test_a_second_one_waits_until_the_first_is_gone(broker: Controls) -> None:
    """One holds; who waits can write nothing, and gets the lease when the holder's connection ends."""
    first, second = await broker.lease("a"), await broker.lease("b")
    async with running(second) as two:
        await eventually(lambda: two.held)
        async with running(first) as one:
            await second.write(41)
            await second.write(42)
            await turns()
            assert one.told == ["waiting"]
            with pytest.raises(BrokerUnavailable):
                await first.write(43)
            assert two.told == ["waiting", 0]
            await broker.end_connection("b")
            await eventually(lambda: one.held and "lost" in two.told)
            assert one.told == ["waiting", 42]


async def test_cancelling_gives_the_lease_back_at_once(broker: Controls) -> None:
    """A holder that ends leaves the lease to who waits, with the largest epoch that was written."""
    first, second = await broker.lease("a"), await broker.lease("b")
    async with running(first) as one:
        await eventually(lambda: one.held)
        await first.write(7)
        waiting = LeaseRecord()
        task = asyncio.create_task(second.run(waiting))
        await eventually(lambda: waiting.waits)
    try:
        await eventually(lambda: waiting.told == ["waiting", 7])
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert one.told == ["waiting", 0]


async def test_a_lost_connection_is_told_and_the_lease_asked_for_again(broker: Controls) -> None:
    """A holder whose connection ends is told, and alone it holds the lease again, with its own epoch."""
    lease = await broker.lease("a")
    async with running(lease) as one:
        await eventually(lambda: one.held)
        await lease.write(5)
        await broker.end_connection("a")
        await eventually(lambda: len(one.told) >= 5)
        assert one.told == ["waiting", 0, "lost", "waiting", 5]
        await lease.write(6)


async def test_no_broker_is_no_lease(broker: Controls) -> None:
    """While the broker refuses, a holder has lost the lease and can write nothing; then it holds it again."""
    lease = await broker.lease("a")
    async with running(lease) as one:
        await eventually(lambda: one.held)
        await lease.write(5)
        await broker.refuse()
        await eventually(lambda: one.told[-1] == "lost")
        with pytest.raises(BrokerUnavailable):
            await lease.write(6)
        await broker.accept()
        await eventually(lambda: one.held, deadline=15.0)
        assert one.told == ["waiting", 0, "lost", "waiting", 5]


async def test_many_starters_and_one_holder(broker: Controls) -> None:
    """Of five that start together one holds the lease; one after the other holds it, each told the last epoch."""
    leases = [await broker.lease(name) for name in "abcde"]
    records = [LeaseRecord() for _ in leases]
    tasks = [asyncio.create_task(lease.run(record)) for lease, record in zip(leases, records, strict=True)]
    try:
        for epoch in range(1, 6):
            await eventually(lambda: any(record.held for record in records), deadline=15.0)
            await eventually(lambda: all(record.told for record in records), deadline=15.0)
            await turns()
            (holder,) = [n for n, record in enumerate(records) if record.held]
            assert records[holder].told == ["waiting", epoch - 1]
            await leases[holder].write(epoch)
            tasks[holder].cancel()
            with suppress(asyncio.CancelledError):
                await tasks[holder]
            records[holder].told.append("ended")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_shards_have_leases_of_their_own(broker: Controls) -> None:
    """The lease of one shard says nothing of another's."""
    first, second = await broker.lease("a"), await broker.lease("b", shard="asia")
    async with running(first) as one, running(second) as two:
        await eventually(lambda: one.held and two.held)
        await first.write(9)
    assert (one.told, two.told) == (["waiting", 0], ["waiting", 0])
