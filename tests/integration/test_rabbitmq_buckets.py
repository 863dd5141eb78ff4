"""What only shared queues can do to a source: symbols in one bucket live and die together."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import aiormq
import uvloop
from prometheus_client import CollectorRegistry
from yarl import URL

from services.broker import topology
from services.broker.metrics import BrokerMetrics
from services.broker.queues import Queues
from services.broker.rabbitmq import RabbitSink, RabbitSource
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.brokers import Broker
from tests.eventually import eventually
from tests.listeners import outgoing, running_sink, running_source
from tests.proxy import proxied
from tests.queues import consumers, followed

LOOPS = {"uvloop": uvloop.new_event_loop}

QUEUES = Queues(2)
NAMES = [Symbol(f"S{n}") for n in range(12)]
A = NAMES[0]
MATES = [name for name in NAMES if QUEUES.slot(name) == QUEUES.slot(A)]
OTHERS = [name for name in NAMES if name not in MATES]
B = MATES[1]


def sink_of(url: str) -> RabbitSink:
    """A sink."""
    return RabbitSink(url, name="test", clock=SystemClock())


class Measured:
    """A source with buckets, and its metrics."""

    def __init__(self, url: str) -> None:
        self.registry = CollectorRegistry()
        metrics = BrokerMetrics(self.registry)
        self.source = RabbitSource(url, name="test", clock=SystemClock(), metrics=metrics, queues=QUEUES)

    def metric(self, name: str) -> float:
        """Return the value of a metric."""
        value = self.registry.get_sample_value(name)
        assert value is not None
        return value

    async def delete_queue(self, symbol: Symbol) -> None:
        """Delete the queue that *symbol* comes through, over its own connection since it is exclusive."""
        assert self.source._consuming is not None
        channel = await self.source._consuming._link.connection.channel()
        await channel.queue_delete(self.source._consuming._followed[symbol].queue)
        await channel.close()


async def test_symbols_share_queues(vhost_url: str, broker_control: Broker) -> None:
    """Twelve symbols come through two queues, each bound once per symbol; the last `unfollow` deletes them."""
    here, sink = Measured(vhost_url), sink_of(vhost_url)
    async with running_source(here.source) as got, running_sink(sink):
        await asyncio.gather(*map(here.source.follow, NAMES))
        assert here.metric("tickwire_broker_following") == len(NAMES)
        assert here.metric("tickwire_broker_queues") == 2
        assert await asyncio.to_thread(followed, broker_control) == dict.fromkeys(NAMES, 1)
        sink.publish([outgoing(name, 1) for name in NAMES])
        await eventually(lambda: all(got.seqs(name) == [1] for name in NAMES))
        await asyncio.gather(*map(here.source.unfollow, OTHERS))
        assert here.metric("tickwire_broker_queues") == 1
        await asyncio.gather(*map(here.source.unfollow, MATES))
        assert here.metric("tickwire_broker_queues") == 0
        assert not await asyncio.to_thread(followed, broker_control)
        assert sum((await asyncio.to_thread(consumers, broker_control)).values()) == 1  # control
    assert here.metric("tickwire_ticks_unwanted_total") == 0


async def test_a_deleted_queue_unfollows_all_its_symbols(vhost_url: str) -> None:
    """A queue that is deleted under a source ends the flow of each symbol in it, once, and of no other symbol."""
    here, sink = Measured(vhost_url), sink_of(vhost_url)
    async with running_source(here.source) as got, running_sink(sink):
        await asyncio.gather(*map(here.source.follow, NAMES))
        await here.delete_queue(A)
        await eventually(lambda: len(got.unfollowed) == len(MATES))
        assert set(got.unfollowed) == set(MATES)
        assert here.source.following == len(OTHERS)
        assert here.metric("tickwire_broker_unfollowed_total") == len(MATES)
        assert here.metric("tickwire_broker_queues") == 1
        await asyncio.gather(*map(here.source.follow, MATES))
        sink.publish([outgoing(name, 1) for name in NAMES])
        await eventually(lambda: all(got.seqs(name) == [1] for name in NAMES))
    assert not got.lost


async def test_a_channel_that_ends_takes_its_buckets_only(vhost_url: str, broker_control: Broker) -> None:
    """An error on one channel unfollows what came through its queues, and leaves none of them behind."""
    here, sink = Measured(vhost_url), sink_of(vhost_url)
    async with running_source(here.source) as got, running_sink(sink):
        await asyncio.gather(*map(here.source.follow, NAMES))
        assert here.source._consuming is not None
        channel = here.source._consuming._lane(QUEUES.slot(A))._channel
        assert channel is not None
        with suppress(aiormq.exceptions.ChannelNotFoundEntity):
            await channel.queue_declare("no such queue", passive=True)
        await eventually(lambda: set(got.unfollowed) == set(MATES))
        await here.source.follow(B)
        assert await asyncio.to_thread(followed, broker_control) == dict.fromkeys([B, *OTHERS], 1)
        sink.publish([outgoing(name, 1) for name in NAMES])
        await eventually(lambda: all(got.seqs(name) == [1] for name in [B, *OTHERS]))
    assert not got.lost


async def test_what_comes_after_its_symbol_is_unwanted(vhost_url: str) -> None:
    """Ticks on their way when their symbol is unfollowed are dropped and counted; a mate's are delivered."""
    address, sink = URL(vhost_url), sink_of(vhost_url)
    async with proxied(str(address.host), address.port or 5672) as proxy:
        here = Measured(str(address.with_host("127.0.0.1").with_port(proxy.port)))
        async with running_source(here.source) as got, running_sink(sink) as told:
            await here.source.follow(A)
            await here.source.follow(B)
            proxy.freeze()
            number = sink.publish([outgoing(A, 1, 2), outgoing(B, 1)])
            await eventually(lambda: number in told.settled)
            unfollowing = asyncio.create_task(here.source.unfollow(A))
            await eventually(lambda: here.source.following == 1)
            proxy.thaw()
            await unfollowing
            await got.reached(B, 1)
        assert here.metric("tickwire_ticks_unwanted_total") == 2
    assert not got.messages(A)
    assert not got.lost


async def test_unfollow_needs_no_binding(vhost_url: str) -> None:
    """A symbol whose binding went with its exchange, or whose exchange is gone, is unfollowed without a word."""
    here, sink = Measured(vhost_url), sink_of(vhost_url)
    async with running_source(here.source) as got, aiormq.connect(vhost_url) as operator:
        await asyncio.gather(*map(here.source.follow, MATES))
        channel = await operator.channel()
        await channel.exchange_delete(topology.TICKS.name)
        await here.source.unfollow(A)
        await here.source.follow(A)
        await here.source.unfollow(A)
        await here.source.rebind(B)
        async with running_sink(sink):
            sink.publish([outgoing(B, 1)])
            await got.reached(B, 1)
    assert not got.unfollowed
    assert not got.lost


async def test_whatever_happens_what_is_followed_flows(vhost_url: str, broker_control: Broker) -> None:
    """After 400 random transitions and 12 deleted queues, exactly what is followed is bound, and flows."""
    here, sink, choices = Measured(vhost_url), sink_of(vhost_url), random.Random(6)
    async with running_source(here.source) as got, running_sink(sink):
        for _ in range(12):
            asked = [
                choices.choice((here.source.follow, here.source.unfollow, here.source.rebind))(
                    choices.choice(NAMES)
                )
                for _ in range(400 // 12)
            ]
            harm = here.delete_queue(choices.choice(NAMES))
            outcomes = await asyncio.gather(*asked, harm, return_exceptions=True)
            assert {type(o) for o in outcomes} <= {type(None), BrokerUnavailable, KeyError}  # KeyError: no queue
        await asyncio.gather(*map(here.source.follow, NAMES), return_exceptions=True)
        for name in NAMES[::2]:
            await here.source.unfollow(name)
        for name in NAMES[1::2]:
            await here.source.follow(name)
        assert got.unfollowed
        assert await asyncio.to_thread(followed, broker_control) == dict.fromkeys(NAMES[1::2], 1)
        sink.publish([outgoing(name, 1) for name in NAMES])
        await eventually(lambda: all(got.seqs(name) == [1] for name in NAMES[1::2]))
    assert not got.lost
