"""What a lease does to a real RabbitMQ: its queue, its messages, and strangers among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiormq
import orjson
import pytest
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic
from yarl import URL

from services.broker import topology
from services.broker.lease import Lease
from services.broker.rabbitmq import RabbitLease
from services.errors import BrokerUnavailable
from services.runtime.clock import SystemClock
from tests.brokers import Broker
from tests.contract.test_lease import LeaseRecord
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
QUEUE = topology.lease_queue("main")


def lease(url: str, *, renew_s: float = 300.0, look_s: float = 5.0) -> RabbitLease:
    """A lease of the shard `main`."""
    return RabbitLease(url, shard="main", name="test", clock=SystemClock(), renew_s=renew_s, look_s=look_s)


@asynccontextmanager
async def running(of: Lease) -> AsyncIterator[LeaseRecord]:
    """Run a lease; entered when it was asked for."""
    record = LeaseRecord()
    task = asyncio.create_task(of.run(record))
    try:
        await eventually(lambda: record.told or task.done(), deadline=30.0)
        yield record
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(name="operator")
async def _operator(vhost_url: str) -> AsyncIterator[AbstractChannel]:
    """A channel of an operator, who may do anything to the queue."""
    async with aiormq.connect(vhost_url) as connection:
        yield await connection.channel()


async def ready(operator: AbstractChannel) -> int:
    """Return how many lease messages are in nobody's hands."""
    return (await operator.queue_declare(QUEUE, passive=True)).message_count or 0


async def reaches(operator: AbstractChannel, count: int) -> None:
    """Return once *count* lease messages are in nobody's hands."""
    async with asyncio.timeout(10):
        while await ready(operator) != count:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.02)


async def put(operator: AbstractChannel, *bodies: bytes) -> None:
    """Put strangers' messages into the queue."""
    for body in bodies:
        await operator.basic_publish(
            body, exchange=topology.LEASE.name, routing_key="main", properties=Basic.Properties(delivery_mode=2)
        )


async def test_a_spare_message_does_not_pass_the_holders(vhost_url: str, operator: AbstractChannel) -> None:
    """Who waits puts a spare message behind the holder's; who holds next is told the holder's epoch first."""
    first, second = lease(vhost_url), lease(vhost_url, look_s=0.05)
    waiting = LeaseRecord()
    async with running(first) as one:
        await eventually(lambda: one.held)
        await first.write(5)
        task = asyncio.create_task(second.run(waiting))
        await eventually(lambda: waiting.waits)
        await reaches(operator, 1)
    try:
        await eventually(lambda: waiting.told == ["waiting", 5])
        await second.write(6)
        await reaches(operator, 0)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_renewal_leaves_one_message(vhost_url: str, operator: AbstractChannel) -> None:
    """Spare messages, and such that are not ours, are gone after a renewal; the holder is told nothing."""
    held = lease(vhost_url, renew_s=0.3, look_s=0.05)
    async with running(held) as one:
        await eventually(lambda: one.held)
        await held.write(9)
        await put(operator, b"0", b"9", b"none of ours", b"8")
        assert await ready(operator) == 4
        await reaches(operator, 0)
    assert one.told == ["waiting", 0]
    await reaches(operator, 1)
    async with running(lease(vhost_url)) as two:
        await eventually(lambda: two.told == ["waiting", 9])


async def test_a_later_epoch_in_the_queue_is_told(vhost_url: str, operator: AbstractChannel) -> None:
    """Of several messages the one with the highest epoch stays, and its epoch is told to who holds the lease."""
    held = lease(vhost_url, renew_s=0.3, look_s=0.05)
    async with running(held) as one:
        await eventually(lambda: one.held)
        await held.write(9)
        await put(operator, b"3", b"77", b"12")
        await eventually(lambda: one.told == ["waiting", 0, 77])
        await reaches(operator, 0)
    async with running(lease(vhost_url)) as two:
        await eventually(lambda: two.told == ["waiting", 77])


async def test_a_lost_message_is_made_anew(vhost_url: str, operator: AbstractChannel) -> None:
    """A queue that is deleted under its holder ends the lease; it is declared again with a message in it."""
    held = lease(vhost_url)
    async with running(held) as one:
        await eventually(lambda: one.held)
        await held.write(9)
        await operator.queue_delete(QUEUE)
        await eventually(lambda: one.told == ["waiting", 0, "lost", "waiting", 0])


async def test_an_emptied_queue_is_noticed_by_who_waits(vhost_url: str, operator: AbstractChannel) -> None:
    """Where no message is left and nobody holds one, the active consumer puts one in and gets it."""
    held = lease(vhost_url, look_s=0.05)
    async with running(lease(vhost_url)) as one:
        await eventually(lambda: one.held)
    await operator.queue_purge(QUEUE)
    async with running(held) as two:
        await eventually(lambda: two.told == ["waiting", 0])


async def test_without_its_binding_a_write_fails_and_heals(vhost_url: str, operator: AbstractChannel) -> None:
    """A lease that no queue takes is an error, though the broker confirms it; the next connection binds again."""
    held = lease(vhost_url)
    async with running(held) as one:
        await eventually(lambda: one.held)
        await held.write(9)
        await operator.queue_unbind(QUEUE, topology.LEASE.name, "main")
        with pytest.raises(BrokerUnavailable):
            await held.write(10)
        await eventually(lambda: one.told == ["waiting", 0, "lost", "waiting", 9])
        await held.write(10)


async def test_a_queue_is_used_as_it_is(vhost_url: str, operator: AbstractChannel) -> None:
    """A quorum queue that is there serves one address too."""
    await operator.queue_declare(QUEUE, durable=True, arguments={**topology.lease_arguments(3)})
    held = lease(vhost_url)
    async with running(held) as one:
        await eventually(lambda: one.held, deadline=20)
        await held.write(4)
    async with running(lease(vhost_url)) as two:
        await eventually(lambda: two.told == ["waiting", 4], deadline=20)


async def test_three_addresses_make_a_quorum_queue(vhost_url: str, operator: AbstractChannel) -> None:
    """With three addresses the queue that is made is a quorum queue, else a classic one."""
    async with running(lease(",".join([vhost_url] * 3))) as one:
        await eventually(lambda: one.held, deadline=20)
        with pytest.raises(aiormq.exceptions.ChannelPreconditionFailed):
            await operator.queue_declare(QUEUE, durable=True, arguments={**topology.lease_arguments(1)})


async def test_starters_at_the_same_time_agree(vhost_url: str) -> None:
    """Ten that find nothing, some with one address and some with three, end up with one holder."""
    urls = [vhost_url if n % 2 else ",".join([vhost_url] * 3) for n in range(10)]
    records = [LeaseRecord() for _ in urls]
    tasks = [asyncio.create_task(lease(u).run(r)) for u, r in zip(urls, records, strict=True)]
    try:
        await eventually(lambda: all(record.told for record in records), deadline=20)
        await eventually(lambda: any(record.held for record in records), deadline=20)
        assert sum(record.held for record in records) == 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_shipped_permissions_are_enough(
    vhost_url: str, broker_control: Broker, operator: AbstractChannel
) -> None:
    """The user `producer` of the shipped definitions may make the queue, hold, write and renew the lease."""
    del operator
    definitions = orjson.loads((ROOT / "deploy" / "rabbitmq" / "definitions.json").read_bytes())
    (allowed,) = [p for p in definitions["permissions"] if p["user"] == "producer"]
    broker_control.ctl("add_user", "tester", "secret")
    try:
        broker_control.ctl("set_permissions", "tester", *(allowed[key] for key in ("configure", "write", "read")))
        url = str(URL(vhost_url).with_user("tester").with_password("secret"))
        held = lease(url, renew_s=0.1, look_s=0.05)
        async with running(held) as one:
            await eventually(lambda: one.held)
            await held.write(5)
        async with running(lease(url)) as two:
            await eventually(lambda: two.told == ["waiting", 5])
    finally:
        broker_control.ctl("delete_user", "tester")


async def test_a_renewed_lease_outlives_the_consumer_timeout(vhost_url: str, broker_control: Broker) -> None:
    """RabbitMQ closes the channel of who holds a message for too long, but not of who renews it in time."""
    broker_control.ctl("eval", "application:set_env(rabbit, consumer_timeout, 1000).")
    broker_control.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 300).")
    try:
        renewed = lease(vhost_url, renew_s=0.3, look_s=0.1)
        kept = RabbitLease(vhost_url, shard="asia", name="kept", clock=SystemClock())
        async with running(renewed) as one, running(kept) as two:
            await eventually(lambda: two.told.count("lost") >= 3, deadline=60)
            assert one.told == ["waiting", 0]
    finally:
        broker_control.ctl("eval", "application:set_env(rabbit, channel_tick_interval, 60000).")
        broker_control.ctl("eval", "application:set_env(rabbit, consumer_timeout, 1800000).")
