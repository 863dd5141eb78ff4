"""What only a RabbitMQ can do to a sink: alarms, closed channels, large frames, a real log."""

from __future__ import annotations

import asyncio

import aiormq
import pytest
import uvloop
from aiormq.abc import DeliveredMessage
from prometheus_client import CollectorRegistry

from services.broker import topology
from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason, Outgoing, Route
from services.broker.rabbitmq import RabbitSink, RabbitSource
from services.broker.rabbitmq.frames import Closed
from services.errors import BrokerUnavailable
from services.market.control import Heartbeat, encode_control
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.brokers import Broker
from tests.eventually import eventually
from tests.listeners import outgoing, running_sink, running_source

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

A = Symbol("A")


def sink_of(url: str, metrics: BrokerMetrics | None = None) -> RabbitSink:
    """A sink."""
    return RabbitSink(url, name="test", clock=SystemClock(), metrics=metrics)


async def read_log(url: str, count: int) -> list[DeliveredMessage]:
    """The first *count* entries of the log."""
    found: list[DeliveredMessage] = []

    async def take(message: DeliveredMessage) -> None:
        found.append(message)
        if len(found) % 500 == 0:
            await message.channel.basic_ack(message.delivery_tag or 0, multiple=True, wait=False)

    async with aiormq.connect(url) as connection:
        channel = await connection.channel()
        await channel.basic_qos(prefetch_count=2_000)
        await channel.basic_consume(topology.LOG, take, arguments={"x-stream-offset": "first"})
        await eventually(lambda: len(found) >= count, deadline=20)
    return found


async def test_every_accepted_message_is_in_the_log_in_order(vhost_url: str) -> None:
    """5,000 messages in calls of 50 are each settled once and accepted, and the log has them all in order."""
    sink = sink_of(vhost_url)
    async with running_sink(sink) as told:
        for start in range(1, 5_001, 50):
            number = sink.publish([outgoing(A, seq) for seq in range(start, start + 50)])
            assert number == start + 49
            await asyncio.sleep(0)
        await eventually(lambda: len(told.settled) == 5_000, deadline=20)
        assert set(told.settled.values()) == {True}
    entries = await read_log(vhost_url, 5_000)
    assert [e.header.properties.message_id for e in entries] == [outgoing(A, s).identity for s in range(1, 5_001)]
    assert entries[0].body == outgoing(A, 1).body


async def test_a_message_larger_than_a_frame_arrives_whole(vhost_url: str) -> None:
    """A body of several frames (frame_max is 131,072 bytes) is delivered as it was published."""
    marks = {Symbol(f"S{n}"): n for n in range(30_000)}
    heartbeat = Heartbeat("x", epoch=1, time=2, directory_version=3, marks=marks, full=True)
    body = encode_control(heartbeat)
    assert len(body) > 2 * 131_072
    source, sink = RabbitSource(vhost_url, name="test", clock=SystemClock()), sink_of(vhost_url)
    async with running_source(source) as got, running_sink(sink):
        sink.publish([Outgoing(Route.CONTROL, "", None, body)])
        await eventually(lambda: got.controls)
    assert got.controls == [heartbeat]


async def test_an_alarm_is_told_and_what_was_published_is_settled_after_it(
    vhost_url: str, broker_control: Broker
) -> None:
    """A memory alarm blocks a sink with its next publish; when it clears, the sink is told and all is settled."""
    metrics = BrokerMetrics(registry := CollectorRegistry())
    sink = sink_of(vhost_url, metrics)
    async with running_sink(sink) as told:
        await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0")
        try:
            sink.publish([outgoing(A, 1)])
            await eventually(lambda: told.blocked == [True])
            assert registry.get_sample_value("tickwire_broker_blocked", {"role": "publish"}) == 1
            sink.publish([outgoing(A, 2)])
        finally:
            await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0.6")
        await eventually(lambda: told.blocked == [True, False] and told.settled == {1: True, 2: True}, deadline=10)
        assert registry.get_sample_value("tickwire_broker_blocked", {"role": "publish"}) == 0
    assert not told.lost


async def test_a_closed_channel_ends_the_connection_and_everything_is_declared_again(vhost_url: str) -> None:
    """Publishing to an exchange that was deleted ends the connection as PROTOCOL; the next one declares it."""
    sink = sink_of(vhost_url)
    async with running_sink(sink) as told:
        async with aiormq.connect(vhost_url) as connection:
            channel = await connection.channel()
            await channel.exchange_delete(topology.TICKS.name)
        sink.publish([outgoing(A, 1)])
        await eventually(lambda: told.connections == 2)
        assert told.lost == [LostReason.PROTOCOL]
        assert sink.publish([outgoing(A, 2)]) == 1
        await eventually(lambda: told.settled == {1: True})
    assert len(await read_log(vhost_url, 1)) == 1


async def test_nothing_is_written_once_the_broker_closes(vhost_url: str) -> None:
    """From the broker's close on `publish` raises, before aiormq has learned of it."""
    sink = sink_of(vhost_url)
    async with running_sink(sink) as told:
        assert sink._press is not None
        sink._press.stop(Closed(0, 320, "CONNECTION_FORCED"))
        with pytest.raises(BrokerUnavailable):
            sink.publish([outgoing(A, 1)])
        assert told.answers == []


async def test_entries_of_other_shards_hide_no_epoch(vhost_url: str) -> None:
    """The newest epoch is found where the log's last chunks hold other symbols' entries only."""
    sink = sink_of(vhost_url)
    async with running_sink(sink) as told:
        sink.publish([outgoing(A, 1, epoch=9)])
        await eventually(lambda: told.settled == {1: True})
        sink.publish([outgoing("OTHER", seq) for seq in range(1, 301)])
        await eventually(lambda: len(told.settled) == 301)
        assert await sink.newest_epoch([A]) == 9
        assert await sink.newest_epoch([A, Symbol("OTHER")]) == 9
        assert await sink.newest_epoch([Symbol("NEVER")]) is None


async def test_an_empty_log_has_no_epoch(vhost_url: str) -> None:
    """A log that nobody has declared yet is declared, and has no newest epoch."""
    assert await sink_of(vhost_url).newest_epoch([A]) is None
