"""What a source keeps on one connection: its control flow, and the flows that followed symbols come through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final
from zlib import crc32

from services.broker import topology
from services.broker.ports import LostReason, Route
from services.broker.queues import PER_SYMBOL, Queues, Slot
from services.broker.rabbitmq.deliveries import Reader, Shared, Wanted
from services.broker.rabbitmq.lane import Flow, Lane
from services.broker.rabbitmq.link import Link, ignore
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
    aiormq close the channel, and with it an eighth of all flows.  The transitions of one flow take turns.

    *queues* says which symbols share a flow; *unwanted* gets what comes through a shared one for none of them.
    """

    def __init__(
        self,
        link: Link,
        unfollowed: Callable[[Symbol], None],
        queues: Queues = PER_SYMBOL,
        unwanted: Reader = ignore,
    ) -> None:
        self._link, self._unfollowed, self._queues = link, unfollowed, queues
        self._unwanted = Wanted(CONTROL, unwanted)
        self._lanes = [Lane(link, self._dropped) for _ in range(LANES)]
        self._desk = Lane(link, self._control_dropped)
        self._control = Flow(topology.CONTROL, topology.CONTROL_ARGUMENTS, Wanted(CONTROL))
        self._flows: dict[Slot, Flow] = {}
        self._followed: dict[Symbol, Flow] = {}
        self._turns = Turns()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def following(self) -> int:
        """How many symbols come here."""
        return len(self._followed)

    @property
    def flows(self) -> int:
        """How many queues they come through."""
        return len(self._flows)

    async def attach(self) -> None:
        """Declare the exchanges and the control queue; what is published from now on waits there."""
        await self._desk.declare(topology.TICKS)
        await self._desk.attach(self._control, "")

    async def start(self) -> None:
        """Consume the control queue."""
        await self._desk.consume(self._control)

    async def follow(self, symbol: Symbol) -> None:
        """Let *symbol* come through its flow, which is opened for its first one; no effect where it comes."""
        await self._apart(self._open(symbol))

    async def unfollow(self, symbol: Symbol) -> None:
        """Let *symbol* come no more; its flow is closed with its last one."""
        await self._apart(self._close(symbol))

    async def rebind(self, symbol: Symbol) -> None:
        """Bind the flow of *symbol* again; no effect where there is none."""
        await self._apart(self._bind(symbol))

    async def probe(self) -> bool:
        """Bind the control queue again (its exchange may have been re-created too), within 2 s."""
        try:
            with self._link.answer_within(PROBE_S):
                await self._apart(self._desk.bind(self._control, ""))
        except BrokerUnavailable:
            pass  # an error is a sign of life; where it is the link's end, it shows in the next line
        return self._link.open

    async def finished(self) -> None:
        """Wait for the transitions, which fail once the link has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _open(self, symbol: Symbol) -> None:
        slot = self._queues.slot(symbol)
        async with self._turns.of(slot):
            if symbol in self._followed:
                return
            flow, lane, key = self._flows.get(slot), self._lane(slot), topology.routing_key(Route.TICK, symbol)
            ask = lane.open if flow is None else lane.bind
            flow = flow or self._flow(symbol)
            flow.keys[key] = Wanted(symbol)  # now: a message may come right behind the answer
            try:
                await ask(flow, key)
            except BaseException:
                del flow.keys[key]
                raise
            self._flows[slot] = self._followed[symbol] = flow

    async def _close(self, symbol: Symbol) -> None:
        slot = self._queues.slot(symbol)
        async with self._turns.of(slot):
            flow = self._followed.pop(symbol, None)
            if flow is None:
                return
            key = topology.routing_key(Route.TICK, symbol)
            del flow.keys[key]
            if flow.keys:
                await self._lane(slot).unbind(flow, key)
            else:
                del self._flows[slot]
                await self._lane(slot).close(flow)

    async def _bind(self, symbol: Symbol) -> None:
        slot = self._queues.slot(symbol)
        async with self._turns.of(slot):
            flow = self._followed.get(symbol)
            if flow is not None:
                await self._lane(slot).bind(flow, topology.routing_key(Route.TICK, symbol))

    def _flow(self, symbol: Symbol) -> Flow:
        flow = Flow(topology.TICKS, self._queues.arguments, Wanted(symbol))
        if self._queues.buckets:
            flow.wanted = Shared(flow.keys, self._unwanted)
        return flow

    def _dropped(self, flow: Flow) -> None:
        # One that is being followed or unfollowed is not among them: whoever asked for that is told.
        symbols = [symbol for symbol, _ in flow.keys.values() if self._followed.get(symbol) is flow]
        if not symbols:
            return
        slot = self._queues.slot(symbols[0])
        del self._flows[slot]
        for symbol in symbols:
            del self._followed[symbol]
        self._spawn(self._lane(slot).clean())
        for symbol in symbols:
            self._unfollowed(symbol)

    def _control_dropped(self, _: Flow) -> None:
        self._spawn(self._reopen_control())

    async def _reopen_control(self) -> None:
        try:
            await self._desk.open(self._control, "")
        except BrokerUnavailable as error:
            # Deaf to heartbeats, this connection is of no use.
            self._link.end(LostReason.PROTOCOL, f"control queue: {error}")

    def _lane(self, slot: Slot) -> Lane:
        return self._lanes[(slot if isinstance(slot, int) else crc32(slot.encode())) % LANES]

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
