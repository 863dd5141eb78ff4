"""The receiving side of the in-memory broker."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from services.broker.memory.link import Link
from services.broker.memory.queue import Item, LiveQueue
from services.broker.ports import LostReason, SourceListener
from services.broker.topology import CONTROL_ARGUMENTS
from services.errors import MalformedMessage
from services.market.control import Control
from services.market.symbol import Symbol
from services.market.wire import TickMessage

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker

CONTROL_MESSAGES: Final = int(CONTROL_ARGUMENTS["x-max-length"])
"""Most control messages that wait for one source; then the oldest is dropped."""
PROBE_SECONDS: Final = 2.0
"""How long a probe waits for a sign of life."""


class MemorySource(Link):
    """A `TickSource` of the in-memory broker."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        super().__init__(broker, name)
        self._listener: SourceListener | None = None
        self._queues: dict[str, LiveQueue] = {}
        self._ready: dict[str, None] = {}
        self._control: deque[Control | MalformedMessage] = deque(maxlen=CONTROL_MESSAGES)
        self._scheduled = False
        self.paused = False
        """True: reads nothing, so the queues fill.  Set through `MemoryBroker.pause`."""
        self.frozen = False
        """True: hears nothing from the broker, and a probe fails.  Set through `MemoryBroker.freeze`."""
        self.dropped = 0
        """Messages dropped from the head of a full queue, or too old when they were read."""

    # ------------------------------------------------------------------------------------- what a TickSource does

    async def run(self, listener: SourceListener) -> None:
        """See `TickSource.run`."""
        self._listener = listener
        await self._supervise(listener)

    async def follow(self, symbol: Symbol) -> None:
        """See `TickSource.follow`."""
        if symbol in self._queues:
            return
        if self.standing and self._broker.dice.hits(self._broker.faults.early_follow):
            self._queues[symbol] = LiveQueue()
        await self._answered()
        self._queues.setdefault(symbol, LiveQueue())

    async def unfollow(self, symbol: Symbol) -> None:
        """See `TickSource.unfollow`."""
        if self._queues.pop(symbol, None) is not None:
            await self._answered()

    async def rebind(self, symbol: Symbol) -> None:
        """See `TickSource.rebind`."""
        await self._answered()
        if symbol in self._queues:
            self._queues[symbol].muted = False

    async def probe(self) -> bool:
        """See `TickSource.probe`."""
        if self.frozen:
            await self._broker.sleep(PROBE_SECONDS)
            self.end(LostReason.SILENT)
        return self.standing

    def rest(self, seconds: float) -> None:
        """See `TickSource.rest`: nothing is read here."""

    @property
    def following(self) -> int:
        """See `TickSource.following`."""
        return len(self._queues)

    # -------------------------------------------------------------------------------------- what the broker asks

    def offer(self, symbol: str, item: Item) -> None:
        """Queue *item* if *symbol* is followed here, and whatever the faults make of it."""
        queue, dice, faults = self._queues.get(symbol), self._broker.dice, self._broker.faults
        if queue is None:
            return
        if dice.hits(faults.source_end):
            self.end(LostReason.BROKEN)
            return
        if dice.hits(faults.unfollow):
            self.end_flow(symbol)
            return
        queue.muted = queue.muted or dice.hits(faults.mute)
        self.dropped += queue.put(item, self._broker.clock.monotonic())
        self._ready[symbol] = None
        self.schedule()

    def offer_control(self, message: Control | MalformedMessage) -> None:
        """Queue a control message."""
        self.dropped += len(self._control) == CONTROL_MESSAGES
        self._control.append(message)
        self.schedule()

    def mute(self, symbol: str) -> None:
        """Unbind *symbol* without a word."""
        if symbol in self._queues:
            self._queues[symbol].muted = True

    def end_flow(self, symbol: str) -> None:
        """Delete the queue of *symbol*, and say so."""
        if self._queues.pop(symbol, None) is not None and self._listener is not None:
            self._later(partial(self._listener.on_unfollowed, Symbol(symbol)))

    def symbols(self) -> list[str]:
        """What is followed, in the order it was asked for."""
        return list(self._queues)

    def schedule(self) -> None:
        """Deliver in the loop's next turn: everything that was published in this one arrives together."""
        if not self._scheduled and self.standing and not self.paused and not self.frozen:
            self._scheduled = True
            self._later(self._deliver)

    # ----------------------------------------------------------------------------------------------------- inside

    def _forget(self) -> None:
        self._queues.clear()
        self._ready.clear()
        self._control.clear()
        self._scheduled = False
        self.frozen = False

    def _deliver(self) -> None:
        self._scheduled = False
        if self.paused or self.frozen or self._listener is None:
            return
        connection, listener = self._connection, self._listener
        items, control = self._taken(), list(self._control)
        self._control.clear()
        messages = [item for item in items if isinstance(item, TickMessage)]
        if messages:
            listener.on_ticks(messages)
        for item in (*items, *control):
            # A listener may have ended the connection; nothing comes after that.
            if self._connection is not connection:
                return
            if isinstance(item, MalformedMessage):
                listener.on_malformed(item)
            elif not isinstance(item, TickMessage):
                listener.on_control(item)

    def _taken(self) -> list[Item]:
        now, taken = self._broker.clock.monotonic(), list[Item]()
        for symbol in self._ready:
            queue = self._queues.get(symbol)
            if queue is not None:
                self.dropped += queue.expire(now)
                taken += queue.take()
        self._ready.clear()
        return taken
