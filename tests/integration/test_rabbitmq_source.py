"""What only a RabbitMQ can do to a source: closed connections, deleted queues and exchanges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiormq
import pytest
import uvloop
from aiormq.abc import AbstractChannel
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from yarl import URL

from services.broker import topology
from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason, Outgoing, Route
from services.broker.rabbitmq import RabbitSink, RabbitSource
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.deliveries import Delivery, Wanted
from services.broker.rabbitmq.lane import Flow, Lane
from services.broker.rabbitmq.link import dial
from services.errors import BrokerUnavailable
from services.market.control import Heartbeat, encode_control
from services.market.symbol import Symbol
from services.market.wire import TickMessage
from services.runtime.clock import SystemClock
from tests.brokers import Broker
from tests.eventually import eventually
from tests.listeners import SinkRecord, SourceRecord, outgoing, running_sink, running_source

LOOPS = {"uvloop": uvloop.new_event_loop}

A, B = Symbol("A"), Symbol("B")


def source_of(url: str) -> RabbitSource:
    """A source."""
    return RabbitSource(url, name="test", clock=SystemClock())


def sink_of(url: str) -> RabbitSink:
    """A sink."""
    return RabbitSink(url, name="test", clock=SystemClock())


def heartbeat(shard: str) -> Outgoing:
    """A heartbeat of *shard*."""
    body = encode_control(Heartbeat(shard, epoch=1, time=2, directory_version=3, marks={}, full=False))
    return Outgoing(Route.CONTROL, "", None, body)


@asynccontextmanager
async def operator(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel of somebody else, to do harm over."""
    async with aiormq.connect(url) as connection:
        yield await connection.channel()


def queue_of(source: RabbitSource, symbol: Symbol) -> str:
    """The name of the queue that *source* has for *symbol*."""
    assert source._consuming is not None
    return source._consuming._flows[symbol].queue


async def test_a_connection_closed_by_an_operator_is_made_again(vhost_url: str, broker_control: Broker) -> None:
    """A connection that an operator closes ends as CLOSED, and the source connects and follows again."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)
    async with running_source(source) as got, running_sink(sink) as told:
        await source.follow(A)
        await asyncio.to_thread(broker_control.ctl, "close_all_connections", "test")
        await eventually(lambda: got.connections == 2 and told.connections == 2, deadline=20)
        assert (got.lost[0], told.lost[0]) == (LostReason.CLOSED, LostReason.CLOSED)
        assert source.following == 0
        await source.follow(A)
        sink.publish([outgoing(A, 7)])
        await got.reached(A, 7)


async def test_a_restarted_broker_is_found_again(vhost_url: str, broker_control: Broker) -> None:
    """A source and a sink outlive a killed broker: nobody listens, then both are back and the log still is."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)
    async with running_source(source) as got, running_sink(sink) as told:
        sink.publish([outgoing(A, 1, epoch=4)])
        await eventually(lambda: told.settled == {1: True})
        # Mnesia writes what was declared to disk a little later: a broker killed before that forgets the log.
        await asyncio.to_thread(broker_control.ctl, "eval", "mnesia:sync_log().")
        await asyncio.to_thread(broker_control.stop, hard=True)
        try:
            await eventually(
                lambda: LostReason.REFUSED in got.lost and LostReason.REFUSED in told.lost, deadline=20
            )
        finally:
            await asyncio.to_thread(broker_control.start)
        await eventually(lambda: got.connections == 2 and told.connections == 2, deadline=30)
        assert await sink.newest_epoch([A]) == 4
        await source.follow(A)
        sink.publish([outgoing(A, 2)])
        await got.reached(A, 2)


async def test_a_deleted_queue_unfollows_its_symbol_only(vhost_url: str) -> None:
    """A queue that is deleted under a source ends that symbol's flow and no other; following again restores it."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)
    async with running_source(source) as got, running_sink(sink):
        await source.follow(A)
        await source.follow(B)
        assert source._consuming is not None
        # Over the same connection, since the queue is exclusive.
        channel = await source._consuming._link.connection.channel()
        await channel.queue_delete(queue_of(source, A))
        await eventually(lambda: got.unfollowed == [A])
        assert source.following == 1
        await source.follow(A)
        sink.publish([outgoing(A, 1), outgoing(B, 1)])
        await got.reached(A, 1)
        await got.reached(B, 1)
    assert got.unfollowed == [A]
    assert not got.lost


async def test_a_channel_that_ends_takes_its_lane_only_and_leaves_no_queue(
    vhost_url: str, broker_control: Broker
) -> None:
    """An error on one channel unfollows that channel's symbols; their queues are deleted; the others flow on."""
    metrics = BrokerMetrics(registry := CollectorRegistry())
    source = RabbitSource(vhost_url, name="test", clock=SystemClock(), metrics=metrics)
    sink = sink_of(vhost_url)
    names = [Symbol(f"S{n}") for n in range(40)]
    async with running_source(source) as got, running_sink(sink):
        await asyncio.gather(*map(source.follow, names))
        assert source._consuming is not None
        lane = source._consuming._lane(names[0])
        same = {n for n in names if source._consuming._lane(n) is lane}
        assert lane._channel is not None
        with pytest.raises(aiormq.exceptions.ChannelNotFoundEntity):
            await lane._channel.queue_declare("no such queue", passive=True)
        await eventually(lambda: set(got.unfollowed) == same)
        assert source.following == len(names) - len(same)
        await source.follow(names[0])
        queues = await asyncio.to_thread(broker_control.ctl, "list_queues", "name", "--no-table-headers")
        # One queue per symbol still followed, one for control messages.
        assert queues.count("amq.gen") == len(names) - len(same) + 2
        sink.publish([outgoing(name, 1) for name in names])
        await eventually(lambda: all(got.seqs(n) == [1] for n in {*names, names[0]} - same | {names[0]}))
    assert registry.get_sample_value("tickwire_broker_channel_errors_total", {"code": "404"}) == 1
    assert registry.get_sample_value("tickwire_broker_follow_seconds_count") == len(names) + 1
    assert (registry.get_sample_value("tickwire_broker_bytes_received_total", {"role": "consume"}) or 0) > 5_000
    assert not got.lost


async def test_rebind_restores_the_flow_of_a_recreated_exchange(vhost_url: str) -> None:
    """An exchange deleted and declared again leaves a source mute, and `rebind` gives it its ticks back."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)
    async with running_source(source) as got, running_sink(sink) as told, operator(vhost_url) as channel:
        await source.follow(A)
        await channel.exchange_delete(topology.TICKS.name)
        await source.rebind(A)
        sink.publish([outgoing(A, 2)])
        await got.reached(A, 2)
    assert not got.lost
    assert not told.lost


async def test_a_probe_restores_the_control_messages(vhost_url: str) -> None:
    """A probe binds the control queue again, so that a re-created exchange does not leave a source deaf."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)
    async with running_source(source) as got, running_sink(sink), operator(vhost_url) as channel:
        await channel.exchange_delete(topology.CONTROL.name)
        assert await source.probe()
        sink.publish([heartbeat("x")])
        await eventually(lambda: got.controls)
    assert not got.lost


async def test_a_deleted_control_queue_is_opened_again(vhost_url: str) -> None:
    """A control queue that is deleted under a source is replaced without a word to the listener."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)
    async with running_source(source) as got, running_sink(sink):
        assert source._consuming is not None
        flow = source._consuming._control
        old = flow.queue
        channel = await source._consuming._link.connection.channel()
        await channel.queue_delete(old)
        await eventually(lambda: flow.queue not in ("", old) and flow.tag)
        assert await source.probe()
        sink.publish([heartbeat("x")])
        await eventually(lambda: got.controls)
    assert not got.lost
    assert not got.unfollowed


async def test_a_cancelled_follow_costs_no_other_flow(vhost_url: str) -> None:
    """A follow cancelled half-way closes no channel: it is completed, and others on the lane flow on."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)
    names = [Symbol(f"S{n}") for n in range(64)]
    async with running_source(source) as got, running_sink(sink):
        await source.follow(A)
        tasks = [asyncio.create_task(source.follow(n)) for n in names]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(r, asyncio.CancelledError) for r in results) == 32
        await eventually(lambda: source.following == 65)
        sink.publish([outgoing(name, 1) for name in (A, *names)])
        await eventually(lambda: all(got.seqs(n) == [1] for n in (A, *names)))
    assert not got.lost
    assert not got.unfollowed


async def test_a_busy_connection_outlives_the_heartbeats_that_it_does_not_hear(vhost_url: str) -> None:
    """With ticks every few ms the broker sends no heartbeat, and the connection still stands after 8 s.

    aiormq, which sees none of the ticks, would give it up after 3 x (heartbeat + 1) = 6 s.
    """
    loop = asyncio.get_running_loop()
    source = source_of(str(URL(vhost_url).update_query(heartbeat="1")))
    sink, seq = sink_of(vhost_url), 0
    async with running_source(source) as got, running_sink(sink):
        await source.follow(A)
        began = loop.time()
        while loop.time() - began < 8:
            seq += 1
            sink.publish([outgoing(A, seq)])
            await eventually(lambda: got.batches and got.batches[-1][-1].first == seq)  # noqa: B023 - asked at once
        assert await source.probe()
        assert got.seqs(A) == list(range(1, seq + 1))
    assert not got.lost


async def test_what_waits_in_a_queue_comes_right_behind_the_consumer(vhost_url: str) -> None:
    """Messages that follow the answer to `consume` at once are lifted too: not one is left to aiormq."""
    sink, got = sink_of(vhost_url), list[Delivery]()
    async with running_sink(sink) as told, dial(parse_addresses(vhost_url, name="test")[0], SystemClock()) as link:
        link.take = got.extend
        lane = Lane(link, dropped=_never)
        for turn in range(20):
            flow = Flow(topology.TICKS, topology.LIVE_ARGUMENTS, Wanted(A))
            await lane.attach(flow, "tick.A")
            number = sink.publish([outgoing(A, 5 * turn + n) for n in range(1, 6)])
            await eventually(lambda: number in told.settled)  # noqa: B023 - asked at once
            await lane.consume(flow)
            await eventually(lambda: len(got) >= 5 * turn + 5)  # noqa: B023 - asked at once
            await lane.close(flow)
        assert not link.lifted
    assert [identity for _, identity, _ in got] == [outgoing(A, n).identity for n in range(1, 101)]
    assert {symbol for symbol, _, _ in got} == {A}


def _never(flow: Flow) -> None:
    raise AssertionError(f"{flow} was dropped")


async def test_a_listener_that_raises_costs_no_connection(vhost_url: str) -> None:
    """An exception in `on_ticks` is logged, and the next ticks come over the same connection."""
    source, sink = source_of(vhost_url), sink_of(vhost_url)

    class Fails(SourceRecord):
        def on_ticks(self, messages: Sequence[TickMessage]) -> None:
            super().on_ticks(messages)
            raise RuntimeError("a listener's mistake")

    got = Fails()
    with capture_logs() as lines:
        async with running_sink(sink), asyncio.TaskGroup() as group:
            task = group.create_task(source.run(got))
            await eventually(lambda: got.connections)
            await source.follow(A)
            for seq in (1, 2, 3):
                sink.publish([outgoing(A, seq)])
                await got.reached(A, seq)
            task.cancel()
    assert not got.lost
    assert [line["event"] for line in lines].count("broker.listener_failed") == 3


async def test_an_exchange_of_another_kind_is_a_protocol_loss(vhost_url: str) -> None:
    """Where `tickwire.ticks` is an exchange of another kind, source and sink report PROTOCOL and go on trying."""
    async with operator(vhost_url) as channel:
        await channel.exchange_declare(topology.TICKS.name, exchange_type="direct", durable=True)
        source, sink = source_of(vhost_url), sink_of(vhost_url)
        waiting = asyncio.create_task(_first_losses(source, sink))
        try:
            assert await asyncio.wait_for(waiting, 10) == {LostReason.PROTOCOL}
            with pytest.raises(BrokerUnavailable):
                await source.follow(A)
        finally:
            await channel.exchange_delete(topology.TICKS.name)


async def _first_losses(source: RabbitSource, sink: RabbitSink) -> set[LostReason]:
    got, told = SourceRecord(), SinkRecord()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(source.run(got)), group.create_task(sink.run(told))]
        await eventually(lambda: len(got.lost) > 1 and len(told.lost) > 1, deadline=10)
        for task in tasks:
            task.cancel()
    return {*got.lost, *told.lost}
