"""What `services.broker.ports.TickSource` promises of what ends, for each adapter."""

from __future__ import annotations

import asyncio

import pytest

from services.broker.ports import LostReason
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol
from tests.contract.controls import Controls
from tests.eventually import eventually
from tests.listeners import control, heartbeat, outgoing, running_sink, running_source

pytestmark = pytest.mark.parametrize("adapter", ["memory", "rabbitmq", "rabbitmq-buckets"], indirect=True)


async def test_a_lost_connection_comes_back_with_nothing_followed(broker: Controls, symbol: Symbol) -> None:
    """A source tells that its connection ended, connects again, follows nothing, and can follow again."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink) as told:
        await source.follow(symbol)
        await broker.end_connection("source")
        await eventually(lambda: got.lost and got.connections == 2)
        assert source.following == 0
        sink.publish([outgoing(symbol, 1)])
        await eventually(lambda: told.settled == {1: True})
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 2)])
        await eventually(lambda: 2 in got.seqs(symbol))
    assert got.seqs(symbol) == [2]
    assert not told.lost


async def test_control_messages_come_again_after_a_lost_connection(broker: Controls, symbol: Symbol) -> None:
    """Control messages need no follow on a new connection either."""
    source, sink, beat = await broker.source("source"), await broker.sink("sink"), heartbeat(symbol)
    async with running_source(source) as got, running_sink(sink):
        await broker.end_connection("source")
        await eventually(lambda: got.connections == 2)
        sink.publish([control(beat)])
        await eventually(lambda: beat in got.controls)


async def test_a_broker_that_refuses_is_tried_again(broker: Controls) -> None:
    """Every failed attempt is told as `refused`, and the source connects once the broker accepts again."""
    source = await broker.source("source")
    async with running_source(source) as got:
        await broker.refuse()
        await eventually(lambda: got.lost.count(LostReason.REFUSED) >= 2)
        assert got.connections == 1
        await broker.accept()
        await eventually(lambda: got.connections == 2)


async def test_follow_needs_a_connection(broker: Controls, symbol: Symbol) -> None:
    """`follow` and `rebind` raise `BrokerUnavailable` before, between and after connections."""
    source = await broker.source("source")
    with pytest.raises(BrokerUnavailable):
        await source.follow(symbol)
    async with running_source(source) as got:
        await broker.refuse()
        await eventually(lambda: got.lost)
        with pytest.raises(BrokerUnavailable):
            await source.follow(symbol)
        with pytest.raises(BrokerUnavailable):
            await source.rebind(symbol)
        assert source.following == 0
        await broker.accept()
        await eventually(lambda: got.connections == 2)
        await source.follow(symbol)
    with pytest.raises(BrokerUnavailable):
        await source.follow(symbol)
    assert source.following == 0


async def test_a_cancelled_source_may_run_again(broker: Controls, symbol: Symbol) -> None:
    """Cancelling `run` keeps nothing at the broker, and a second `run` starts afresh."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_sink(sink):
        async with running_source(source) as before:
            await source.follow(symbol)
        sink.publish([outgoing(symbol, 1)])
        async with running_source(source) as after:
            assert source.following == 0
            await source.follow(symbol)
            sink.publish([outgoing(symbol, 2)])
            await eventually(lambda: 2 in after.seqs(symbol))
    assert not before.messages(symbol)
    assert after.seqs(symbol) == [2]


async def test_rebind_restores_a_flow_that_the_broker_forgot(broker: Controls, symbol: Symbol) -> None:
    """After the exchange was deleted and created again nothing comes, without notice, until `rebind`."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink) as told:
        await source.follow(symbol)
        await broker.recreate_exchange()
        sink.publish([outgoing(symbol, 1)])
        await eventually(lambda: told.settled == {1: True})
        assert source.following == 1
        await source.rebind(symbol)
        sink.publish([outgoing(symbol, 2)])
        await eventually(lambda: 2 in got.seqs(symbol))
    assert got.seqs(symbol) == [2]
    assert not got.lost
    assert not got.unfollowed


async def test_rebind_of_a_whole_flow_changes_nothing(broker: Controls, symbol: Symbol) -> None:
    """`rebind` of a symbol that flows neither stops nor doubles it."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        await source.rebind(symbol)
        for seq in (1, 2):
            sink.publish([outgoing(symbol, seq)])
            await got.reached(symbol, seq)
    assert got.seqs(symbol) == [1, 2]


async def test_a_flow_ended_by_the_broker_is_told(broker: Controls, symbol: Symbol) -> None:
    """`on_unfollowed` names the symbol that the broker ended; others flow on, and it can be followed again."""
    other = broker.apart(symbol)
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        await source.follow(other)
        await broker.end_flow(source, symbol)
        await eventually(lambda: got.unfollowed == [symbol])
        assert source.following == 1
        sink.publish([outgoing(other, 1)])
        await eventually(lambda: got.seqs(other) == [1])
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 1)])
        await eventually(lambda: got.seqs(symbol) == [1])
    assert not got.lost


async def test_probe_is_true_on_a_live_connection_only(broker: Controls) -> None:
    """`probe` finds a broker that answers, and none without a connection."""
    source = await broker.source("source")
    assert not await source.probe()
    async with running_source(source) as got:
        assert await source.probe()
        assert not got.lost


async def test_a_probe_of_a_silent_broker_ends_the_connection(broker: Controls, symbol: Symbol) -> None:
    """A broker that says nothing for 2 s is given up: `probe` is false, and the source connects anew."""
    source, loop = await broker.source("source"), asyncio.get_running_loop()
    async with running_source(source) as got:
        await source.follow(symbol)
        await broker.freeze("source")
        began = loop.time()
        assert not await source.probe()
        assert loop.time() - began < 3.0
        await broker.thaw("source")
        await eventually(lambda: got.connections == 2)
        assert got.lost[0] is LostReason.SILENT
        assert source.following == 0
        assert await source.probe()


async def test_a_connection_that_ends_during_follows_leaves_none_waiting(broker: Controls, symbol: Symbol) -> None:
    """A `follow` that the connection's end overtakes raises `BrokerUnavailable`; none counts afterwards."""
    source = await broker.source("source")
    async with running_source(source) as got:
        follows = [asyncio.create_task(source.follow(Symbol(f"{symbol}.{n}"))) for n in range(32)]
        await asyncio.sleep(0)
        await broker.end_connection("source")
        outcomes = await asyncio.wait_for(asyncio.gather(*follows, return_exceptions=True), 5)
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert refused
        assert all(isinstance(outcome, BrokerUnavailable) for outcome in refused)
        await eventually(lambda: got.connections == 2)
        assert source.following == 0
