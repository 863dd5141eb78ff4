"""Fixtures of every test: nothing of ours blocks a loop, and a real broker is found or started when needed."""

from __future__ import annotations

from collections.abc import Iterator

import aiormq
import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

from services.broker import topology
from tests.brokers import Broker, find_broker

# A busy machine is no counterexample: 200 ms an example, the default, were passed by others' load.
settings.register_profile("tickwire", deadline=None)
settings.load_profile("tickwire")


@pytest.fixture(scope="session", autouse=True)
def _no_blocking() -> Iterator[None]:
    """A blocking call that our code makes on an event loop fails its test."""
    with blockbuster_ctx(["services", "gateway", "producer", "tickwire", "tickwire_client"]) as blockbuster:
        for function in blockbuster.functions.values():
            # The traceback in a log line for people shows source, which is read from its file.
            function.can_block_in("structlog/dev.py", "__call__")
        yield


@pytest.fixture(scope="session", name="broker_control")
def _broker_control() -> Iterator[Broker]:
    """The broker of this session: its url, and stop, start and ctl where it is ours."""
    broker = find_broker()
    yield broker
    broker.remove()


@pytest.fixture(scope="session", name="amqp_url")
def _amqp_url(broker_control: Broker) -> str:
    """The address of a real RabbitMQ, whatever other tests left on it."""
    return broker_control.url


@pytest.fixture(name="vhost_url")
async def _vhost_url(amqp_url: str) -> str:
    """The address of a real RabbitMQ that holds nothing of Tickwire's."""
    await clean(amqp_url)
    return amqp_url


async def clean(url: str) -> None:
    """Delete everything of Tickwire's from the broker at *url*."""
    async with aiormq.connect(url) as connection:
        channel = await connection.channel()
        leases = (topology.lease_queue(shard) for shard in ("main", "asia"))
        for queue in (topology.LOG, topology.CANDLE_LOG, topology.REVOCATION_LOG, topology.HISTORY, *leases):
            await channel.queue_delete(queue)
        for exchange in (*topology.EXCHANGES, topology.RPC, topology.CANDLES, topology.LEASE, topology.REVOKE):
            await channel.exchange_delete(exchange.name)
