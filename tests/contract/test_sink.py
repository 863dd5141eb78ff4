"""What `services.broker.ports.TickSink` promises, for each adapter."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from services.broker.ports import LostReason, Outgoing, Route, TickSink
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol
from tests.contract.controls import Controls
from tests.eventually import eventually
from tests.listeners import SinkRecord, outgoing, running_sink, running_source


async def test_every_message_is_settled_counting_from_1(broker: Controls, symbol: Symbol) -> None:
    """Numbers start at 1, go on over calls, and each is settled exactly once, followed or not."""
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        assert sink.publish([outgoing(symbol, 1), outgoing(symbol, 2)]) == 2
        assert sink.publish([outgoing(symbol, 3)]) == 3
        await eventually(lambda: len(told.settled) == 3)
        assert sink.publish([outgoing(symbol, seq) for seq in range(4, 501)]) == 500
        await eventually(lambda: len(told.settled) == 500)
    assert told.settled == dict.fromkeys(range(1, 501), True)


async def test_every_route_is_settled(broker: Controls, symbol: Symbol) -> None:
    """Ticks, repeats for the log and control messages share one numbering."""
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        control = Outgoing(Route.CONTROL, "", None, b"{}")
        sink.publish([outgoing(symbol, 1), control, outgoing(symbol, 1, route=Route.LAST)])
        await eventually(lambda: told.settled == {1: True, 2: True, 3: True})


async def test_publishing_nothing_uses_no_number(broker: Controls, symbol: Symbol) -> None:
    """An empty sequence returns the number of the last message, which stays the last."""
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        assert sink.publish([]) == 0
        sink.publish([outgoing(symbol, 1)])
        assert sink.publish([]) == 1
        await eventually(lambda: told.settled == {1: True})


async def test_a_connection_can_be_given_up(broker: Controls, symbol: Symbol) -> None:
    """`reconnect` ends the connection as silent, and another one follows, on which numbers start at 1."""
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        sink.reconnect()
        await eventually(lambda: told.connections == 2, deadline=20)
        assert told.lost == [LostReason.SILENT]
        assert sink.publish([outgoing(symbol, 1)]) == 1
        await eventually(lambda: told.settled == {1: True})


async def test_publish_needs_a_connection(broker: Controls, symbol: Symbol) -> None:
    """`publish` raises `BrokerUnavailable` before, between and after connections."""
    sink = await broker.sink("sink")
    with pytest.raises(BrokerUnavailable):
        sink.publish([outgoing(symbol, 1)])
    async with running_sink(sink) as told:
        await broker.refuse()
        await eventually(lambda: told.lost)
        with pytest.raises(BrokerUnavailable):
            sink.publish([outgoing(symbol, 1)])
        await broker.accept()
        await eventually(lambda: told.connections == 2)
        sink.publish([outgoing(symbol, 1)])
    with pytest.raises(BrokerUnavailable):
        sink.publish([outgoing(symbol, 1)])


@dataclass(slots=True)
class TriesOnLoss(SinkRecord):
    """Publishes in the callbacks themselves, as the producer does."""

    sink: TickSink | None = None
    message: Outgoing | None = None
    refusals: list[BrokerUnavailable] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def on_connected(self) -> None:
        """Publish at once."""
        SinkRecord.on_connected(self)
        assert self.sink is not None
        assert self.message is not None
        self.numbers.append(self.sink.publish([self.message]))

    def on_lost(self, reason: LostReason) -> None:
        """Publish into nothing."""
        SinkRecord.on_lost(self, reason)
        assert self.sink is not None
        assert self.message is not None
        try:
            self.sink.publish([self.message])
        except BrokerUnavailable as error:
            self.refusals.append(error)


async def test_a_listener_may_publish_when_connected_and_not_when_lost(broker: Controls, symbol: Symbol) -> None:
    """`publish` works inside `on_connected`, with numbers from 1 again, and raises inside `on_lost`."""
    sink = await broker.sink("sink")
    told = TriesOnLoss(sink=sink, message=outgoing(symbol, 1))
    task = asyncio.create_task(sink.run(told))
    try:
        await eventually(lambda: told.settled == {1: True}, deadline=30.0)
        await broker.end_connection("sink")
        await eventually(lambda: told.connections == 2 and told.settled == {1: True})
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert told.numbers == [1, 1]
    assert len(told.refusals) == len(told.lost) >= 1


async def test_a_lost_connection_settles_nothing_more(broker: Controls, symbol: Symbol) -> None:
    """After a lost connection a sink connects again, numbers from 1, and old numbers are never settled."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink) as told:
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 1)])
        await eventually(lambda: got.seqs(symbol) == [1] and told.settled == {1: True})
        await broker.end_connection("sink")
        await eventually(lambda: told.lost and told.connections == 2)
        assert told.answers == []
        assert sink.publish([outgoing(symbol, 2)]) == 1
        await eventually(lambda: told.settled == {1: True} and got.seqs(symbol) == [1, 2])
    assert not got.lost


async def test_two_sinks_have_numberings_of_their_own(broker: Controls, symbol: Symbol) -> None:
    """Two sinks publish at once; each is told of its own messages only, and a follower gets both's."""
    source = await broker.source("source")
    first, second = await broker.sink("first"), await broker.sink("second")
    other = Symbol(f"{symbol}X")
    async with running_source(source) as got, running_sink(first) as one, running_sink(second) as two:
        await source.follow(symbol)
        await source.follow(other)
        first.publish([outgoing(symbol, 1), outgoing(symbol, 2)])
        second.publish([outgoing(other, 1)])
        await eventually(lambda: one.settled == {1: True, 2: True} and two.settled == {1: True})
        await eventually(lambda: got.seqs(symbol) == [1, 2] and got.seqs(other) == [1])
