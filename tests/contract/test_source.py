"""What `services.broker.ports.TickSource` promises, for each adapter."""

from __future__ import annotations

import asyncio

import pytest

from services.broker.ports import Outgoing, Route
from services.market.symbol import Symbol
from services.market.wire import TracedMessage
from tests.contract.controls import Controls
from tests.eventually import eventually
from tests.listeners import control, heartbeat, line, outgoing, running_sink, running_source

pytestmark = pytest.mark.parametrize("adapter", ["memory", "rabbitmq", "rabbitmq-buckets"], indirect=True)
CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_followed_ticks_arrive_in_order_and_byte_for_byte(broker: Controls, symbol: Symbol) -> None:
    """Ticks of a followed symbol arrive in the order published, in the messages and bytes published."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 1), outgoing(symbol, 2, 3)])
        sink.publish([outgoing(symbol, 1, epoch=2)])
        await eventually(lambda: len(got.messages(symbol)) == 3)
    assert got.positions(symbol) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert [m.lines for m in got.messages(symbol)] == [
        (line(symbol, 1),),
        (line(symbol, 2), line(symbol, 3)),
        (line(symbol, 1),),
    ]
    assert {m.published for m in got.messages(symbol)} == {1_795_000_000_000_000}


async def test_hundreds_of_messages_at_once_keep_their_order(broker: Controls, symbol: Symbol) -> None:
    """500 messages published in one call arrive once each, in order."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        sink.publish([outgoing(symbol, seq) for seq in range(1, 501)])
        await eventually(lambda: len(got.seqs(symbol)) >= 500)
    assert got.seqs(symbol) == list(range(1, 501))


async def test_a_rest_delays_and_loses_nothing(broker: Controls, symbol: Symbol) -> None:
    """What is published while a source rests, even again and again, arrives in order afterwards."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    source.rest(0.01)  # no effect: it is not connected
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        for first in range(1, 101, 10):
            source.rest(0.02)
            source.rest(0.01)
            sink.publish([outgoing(symbol, seq) for seq in range(first, first + 10)])
            await got.reached(symbol, first)
        await got.reached(symbol, 100)
        assert await source.probe()
    assert got.seqs(symbol) == list(range(1, 101))


async def test_nothing_is_delivered_inside_publish(broker: Controls, symbol: Symbol) -> None:
    """A listener is never called from within `publish`, only from the loop."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink) as told:
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 1), control(heartbeat(symbol))])
        assert not got.batches
        assert not told.answers
        await eventually(lambda: got.batches and told.answers)


async def test_a_symbol_not_followed_is_not_delivered(broker: Controls, symbol: Symbol) -> None:
    """Ticks of a symbol that a source does not follow never reach it."""
    other = Symbol(f"{symbol}X")
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        for seq in (1, 2):
            sink.publish([outgoing(other, seq), outgoing(symbol, seq)])
            await got.reached(symbol, seq)
    assert not got.messages(other)


async def test_a_dot_in_a_symbol_is_a_letter_like_any_other(broker: Controls, symbol: Symbol) -> None:
    """BRK, BRK.B and BRK.B.C are three symbols, and a follower of one gets no other."""
    names = [symbol, Symbol(f"{symbol}.B"), Symbol(f"{symbol}.B.C"), Symbol(f"{symbol}-B")]
    sink = await broker.sink("sink")
    for followed in names:
        source = await broker.source(f"of-{followed}")
        async with running_source(source) as got, running_sink(sink):
            await source.follow(followed)
            sink.publish([outgoing(name, 1) for name in names if name != followed])
            sink.publish([outgoing(followed, 1)])
            await got.reached(followed, 1)
            sink.publish([outgoing(followed, 2)])
            await got.reached(followed, 2)
        assert {m.symbol for batch in got.batches for m in batch} == {followed}


async def test_following_twice_changes_nothing(broker: Controls, symbol: Symbol) -> None:
    """A symbol that is followed again is still delivered once, and counted once."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        await source.follow(symbol)
        assert source.following == 1
        for seq in (1, 2):
            sink.publish([outgoing(symbol, seq)])
            await got.reached(symbol, seq)
    assert got.seqs(symbol) == [1, 2]


async def test_unfollow_ends_the_flow(broker: Controls, symbol: Symbol) -> None:
    """After `unfollow` nothing of the symbol comes, nothing is kept for it, and it may be followed again."""
    other = Symbol(f"{symbol}X")
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        await source.follow(other)
        assert source.following == 2
        sink.publish([outgoing(symbol, 1)])
        await eventually(lambda: got.seqs(symbol) == [1])
        await source.unfollow(symbol)
        assert source.following == 1
        for seq in (2, 3):
            sink.publish([outgoing(symbol, seq), outgoing(other, seq)])
            await got.reached(other, seq)
        assert got.seqs(symbol) == [1]
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 4)])
        await eventually(lambda: got.seqs(symbol) == [1, 4])


async def test_unfollow_of_what_is_not_followed_has_no_effect(broker: Controls, symbol: Symbol) -> None:
    """`unfollow` is silent for a symbol never followed, and without a connection."""
    source = await broker.source("source")
    await source.unfollow(symbol)
    async with running_source(source):
        await source.unfollow(symbol)
        assert source.following == 0


async def test_many_symbols_may_be_followed_at_once(broker: Controls, symbol: Symbol) -> None:
    """64 symbols followed concurrently all flow, and are all gone after as many `unfollow`s."""
    names = [Symbol(f"{symbol}.{n}") for n in range(64)]
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await asyncio.gather(*map(source.follow, names))
        assert source.following == len(names)
        sink.publish([outgoing(name, 1) for name in names])
        await eventually(lambda: all(got.seqs(name) == [1] for name in names))
        await asyncio.gather(*map(source.unfollow, names))
        assert source.following == 0


async def test_each_source_gets_its_own_copy(broker: Controls, symbol: Symbol) -> None:
    """Two sources that follow one symbol both get every tick; one's `unfollow` does not touch the other."""
    first, second = await broker.source("first"), await broker.source("second")
    sink = await broker.sink("sink")
    async with running_source(first) as one, running_source(second) as two, running_sink(sink):
        await first.follow(symbol)
        await second.follow(symbol)
        sink.publish([outgoing(symbol, 1)])
        await eventually(lambda: one.seqs(symbol) == [1] and two.seqs(symbol) == [1])
        await first.unfollow(symbol)
        sink.publish([outgoing(symbol, 2)])
        await eventually(lambda: two.seqs(symbol) == [1, 2])
    assert one.seqs(symbol) == [1]


async def test_control_messages_reach_every_source(broker: Controls, symbol: Symbol) -> None:
    """A control message reaches every connected source, whatever it follows."""
    first, second = await broker.source("first"), await broker.source("second")
    sink, beat = await broker.sink("sink"), heartbeat(symbol)
    async with running_source(first) as one, running_source(second) as two, running_sink(sink):
        sink.publish([control(beat)])
        await eventually(lambda: beat in one.controls and beat in two.controls)


async def test_a_republished_message_may_come_again(broker: Controls, symbol: Symbol) -> None:
    """A message published twice comes once or twice, never out of the order published."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 1), outgoing(symbol, 1), outgoing(symbol, 2)])
        await eventually(lambda: 2 in got.seqs(symbol))
    assert got.seqs(symbol) in ([1, 1, 2], [1, 2])


async def test_a_trace_context_comes_with_its_message(broker: Controls, symbol: Symbol) -> None:
    """Of messages published together the traced ones arrive with their context, all in order and byte for byte."""
    first, second = await broker.source("first"), await broker.source("second")
    sink = await broker.sink("sink")
    async with running_source(first) as one, running_source(second) as two, running_sink(sink) as told:
        await first.follow(symbol)
        await second.follow(symbol)
        messages = [outgoing(symbol, 1), outgoing(symbol, 2, 3), outgoing(symbol, 4), outgoing(symbol, 5)]
        assert sink.publish(messages, {1: CONTEXT, 2: "not a context"}) == 4
        sink.publish([outgoing(symbol, 6)])
        await one.reached(symbol, 6)
        await two.reached(symbol, 6)
        await eventually(lambda: told.settled == dict.fromkeys(range(1, 6), True))
    for got in (one, two):
        assert got.seqs(symbol) == [1, 2, 3, 4, 5, 6]
        assert [sent for m in got.messages(symbol) for sent in m.lines] == [line(symbol, n) for n in range(1, 7)]
        found = {m.first: m.context for m in got.messages(symbol) if isinstance(m, TracedMessage)}
        assert found == {2: CONTEXT, 4: "not a context"}


@pytest.mark.parametrize(
    ("identity", "body"),
    [
        pytest.param("1-1-5", b"\xff not a tick", id="not-a-tick"),
        pytest.param("1-1-5", b"", id="empty"),
        pytest.param("1-7-5", None, id="seq-differs-from-identity"),
        pytest.param("no identity", None, id="bad-identity"),
        pytest.param("1-1-5", line("OTHER", 1), id="of-another-symbol"),
    ],
)
async def test_a_malformed_tick_message_is_told_and_skipped(
    broker: Controls, symbol: Symbol, identity: str, body: bytes | None
) -> None:
    """A message that no codec of ours wrote is told once, and the feed goes on."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink):
        await source.follow(symbol)
        await broker.inject(Outgoing(Route.TICK, symbol, identity, line(symbol, 1) if body is None else body))
        await eventually(lambda: got.malformed)
        sink.publish([outgoing(symbol, 1)])
        await eventually(lambda: got.seqs(symbol) == [1])
    assert len(got.malformed) == 1
    assert not got.lost


async def test_a_malformed_control_message_is_told_and_skipped(broker: Controls, symbol: Symbol) -> None:
    """A control message that no codec of ours wrote is told once, and the next one comes."""
    source, sink, beat = await broker.source("source"), await broker.sink("sink"), heartbeat(symbol)
    async with running_source(source) as got, running_sink(sink):
        await broker.inject(control(b'{"type":"heartbeat"}'))
        await eventually(lambda: got.malformed)
        sink.publish([control(beat)])
        await eventually(lambda: beat in got.controls)
    assert len(got.malformed) == 1
    assert not got.lost
