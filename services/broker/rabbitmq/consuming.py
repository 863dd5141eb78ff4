"""What a source keeps on one connection: its control flow, and a flow per followed symbol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final
from zlib import crc32

from services.broker import topology
from services.broker.ports import LostReason, Route
from services.broker.rabbitmq.lane import Flow, Lane
from services.broker.rabbitmq.link import Link
from services.broker.rabbitmq.turns import Turns
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol

LANES: Final = 8
"""Channels for the symbols' queues: 300 openings a second over one, 900 over 16 (measured); an error on one
takes an eighth of the flows with it."""
PROBE_S: Final = 2.0
CONTROL: Final = Symbol("")
"""Stands for the control messages where a symbol says whose a message is."""


class Consuming:
    """The flows of one connection, from its start to its end.

    A transition (open, close, bind) runs in a task of its own: a request that is cancelled half-way would make
    aiormq close the channel, and with it an eighth of all flows.
    """

    def __init__(self, link: Link, unfollowed: Callable[[Symbol], None]) -> None:
        self._link, self._unfollowed = link, unfollowed
        self._lanes = [Lane(link, self._dropped) for _ in range(LANES)]
        self._desk = Lane(link, self._control_dropped)
        self._control = Flow(topology.CONTROL, "", topology.CONTROL_ARGUMENTS, CONTROL)
        self._flows: dict[Symbol, Flow] = {}
        self._turns = Turns()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def following(self) -> int:
        """How many symbols have a queue here."""
        return len(self._flows)

    async def attach(self) -> None:
        """Declare the exchanges and the control queue; what is published from now on waits there."""
        await self._desk.declare(topology.TICKS)
        await self._desk.attach(self._control)

    async def start(self) -> None:
        """Consume the control queue."""
        await self._desk.consume(self._control)

    async def follow(self, symbol: Symbol) -> None:
        """Open the flow of *symbol*; no effect where it is open."""
        await self._apart(self._open(symbol))

    async def unfollow(self, symbol: Symbol) -> None:
        """Close the flow of *symbol*; no effect where there is none."""
        await self._apart(self._close(symbol))

    async def rebind(self, symbol: Symbol) -> None:
        """Bind the flow of *symbol* again; no effect where there is none."""
        await self._apart(self._bind(symbol))

    async def probe(self) -> bool:
        """Bind the control queue again (its exchange may have been re-created too), within 2 s."""
        try:
            with self._link.answer_within(PROBE_S):
                await self._apart(self._desk.bind(self._control))
        except BrokerUnavailable:
            pass  # an error is a sign of life; where it is the link's end, it shows in the next line
        return self._link.open

    async def finished(self) -> None:
        """Wait for the transitions, which fail once the link has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _open(self, symbol: Symbol) -> None:
        async with self._turns.of(symbol):
            if symbol in self._flows:
                return
            key = topology.routing_key(Route.TICK, symbol)
            flow = Flow(topology.TICKS, key, topology.LIVE_ARGUMENTS, symbol)
            await self._lane(symbol).open(flow)
            self._flows[symbol] = flow

    async def _close(self, symbol: Symbol) -> None:
        async with self._turns.of(symbol):
            flow = self._flows.pop(symbol, None)
            if flow is not None:
                await self._lane(symbol).close(flow)

    async def _bind(self, symbol: Symbol) -> None:
        async with self._turns.of(symbol):
            flow = self._flows.get(symbol)
            if flow is not None:
                await self._lane(symbol).bind(flow)

    def _dropped(self, flow: Flow) -> None:
        symbol = flow.symbol
        if self._flows.get(symbol) is not flow:
            return  # it was being opened or closed: whoever asked for that is told
        del self._flows[symbol]
        self._spawn(self._lane(symbol).clean())
        self._unfollowed(symbol)

    def _control_dropped(self, _: Flow) -> None:
        self._spawn(self._reopen_control())

    async def _reopen_control(self) -> None:
        try:
            await self._desk.open(self._control)
        except BrokerUnavailable as error:
            # Deaf to heartbeats, this connection is of no use.
            self._link.end(LostReason.PROTOCOL, f"control queue: {error}")

    def _lane(self, symbol: Symbol) -> Lane:
        return self._lanes[crc32(symbol.encode()) % LANES]

    async def _apart(self, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.shield(self._spawn(work))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited was told; where nobody waits any more, nobody needs to be
