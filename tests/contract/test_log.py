"""What the ports promise of the log, for each adapter."""

from __future__ import annotations

import asyncio

from services.broker.ports import Route
from services.market.symbol import Symbol
from tests.contract.controls import Controls
from tests.eventually import eventually
from tests.listeners import outgoing, running_sink, running_source


async def test_newest_epoch_is_the_largest_of_the_symbols_asked_for(broker: Controls, symbol: Symbol) -> None:
    """The newest epoch is the largest among the newest entries of the symbols asked for, and of no others."""
    other, foreign = Symbol(f"{symbol}.B"), Symbol(f"{symbol}X")
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        sink.publish([outgoing(symbol, 1, epoch=5), outgoing(symbol, 1, 2, epoch=7), outgoing(other, 1, epoch=6)])
        sink.publish([outgoing(foreign, 1, epoch=9)])
        await eventually(lambda: len(told.settled) == 4)
        assert await sink.newest_epoch([symbol]) == 7
        assert await sink.newest_epoch([other]) == 6
        assert await sink.newest_epoch([other, symbol]) == 7


async def test_an_unknown_symbol_has_no_epoch(broker: Controls, symbol: Symbol) -> None:
    """A symbol that the log has no entry of has no newest epoch, whatever else is in the log."""
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        assert await sink.newest_epoch([symbol]) is None
        assert await sink.newest_epoch([]) is None
        sink.publish([outgoing(f"{symbol}X", 1, epoch=5)])
        await eventually(lambda: told.settled == {1: True})
        assert await sink.newest_epoch([symbol]) is None


async def test_the_newest_epoch_is_found_behind_many_other_entries(broker: Controls, symbol: Symbol) -> None:
    """A symbol's newest entry counts even where 500 entries of another symbol follow it."""
    other = Symbol(f"{symbol}X")
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        sink.publish([outgoing(symbol, 1, epoch=8), *(outgoing(other, seq, epoch=3) for seq in range(1, 501))])
        await eventually(lambda: len(told.settled) == 501)
        assert await sink.newest_epoch([symbol, other]) == 8


async def test_newest_epoch_waits_for_a_connection(broker: Controls, symbol: Symbol) -> None:
    """A question put while the broker refuses connections is answered after it accepts them again."""
    sink = await broker.sink("sink")
    async with running_sink(sink) as told:
        sink.publish([outgoing(symbol, 1, epoch=4)])
        await eventually(lambda: told.settled == {1: True})
        await broker.refuse()
        await eventually(lambda: told.lost)
        question = asyncio.create_task(sink.newest_epoch([symbol]))
        await eventually(lambda: len(told.lost) >= 2)
        assert not question.done()
        await broker.accept()
        assert await asyncio.wait_for(question, 10) == 4


async def test_a_message_for_the_log_reaches_no_follower(broker: Controls, symbol: Symbol) -> None:
    """A message on the `last` route is in the log, and no follower of its symbol gets it."""
    source, sink = await broker.source("source"), await broker.sink("sink")
    async with running_source(source) as got, running_sink(sink) as told:
        await source.follow(symbol)
        sink.publish([outgoing(symbol, 3, epoch=6, route=Route.LAST)])
        await eventually(lambda: told.settled == {1: True})
        assert await sink.newest_epoch([symbol]) == 6
        for seq in (4, 5):
            sink.publish([outgoing(symbol, seq, epoch=6)])
            await got.reached(symbol, seq)
    assert got.seqs(symbol) == [4, 5]
