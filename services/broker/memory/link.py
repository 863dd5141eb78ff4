"""A connection to the in-memory broker: it stands, it ends, and it is made again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from services.broker.backoff import Backoff
from services.broker.ports import LostReason
from services.errors import BrokerUnavailable

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker


class LinkListener(Protocol):
    """What both kinds of listener have in common."""

    def on_connected(self) -> None:
        """A connection stands."""
        ...

    def on_lost(self, reason: LostReason) -> None:
        """The connection, or an attempt, is gone."""
        ...


class Link:
    """What a source and a sink share: one connection at a time, and its supervision."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        self.name = name
        self._broker = broker
        # An ended connection is told from a new one by the identity of its event.
        self._connection: asyncio.Event | None = None
        self._reason = LostReason.BROKEN
        self._up = asyncio.Event()
        self._unanswered: set[asyncio.Future[None]] = set()

    @property
    def standing(self) -> bool:
        """Whether a connection stands."""
        return self._connection is not None

    def end(self, reason: LostReason) -> None:
        """End the connection, if one stands: at once for the broker, through the loop for the listener."""
        if self._connection is None:
            return
        self._reason = reason
        self._connection.set()
        self._connection = None
        self._up.clear()
        self._broker.links.pop(self, None)
        self._forget()
        for question in self._unanswered:
            if not question.done():
                question.set_result(None)

    async def _supervise(self, listener: LinkListener) -> None:
        backoff = Backoff(self._broker.dice.within)
        try:
            while True:
                began = self._broker.clock.monotonic()
                await self._attempt(listener)
                await self._broker.sleep(backoff.after(self._broker.clock.monotonic() - began))
        finally:
            self.end(LostReason.CLOSED)

    async def _attempt(self, listener: LinkListener) -> None:
        """Connect and stay until the connection ends, or fail to."""
        if self._broker.refuses():
            listener.on_lost(LostReason.REFUSED)
            return
        connection = self._connection = asyncio.Event()
        self._broker.links[self] = None
        listener.on_connected()
        self._up.set()
        self._stands()
        await connection.wait()
        listener.on_lost(self._reason)

    async def _answered(self) -> None:
        """Return when the broker has answered what was just asked of it.

        Raises:
            BrokerUnavailable: no connection stands, or it ended meanwhile.
        """
        connection = self._required()
        question: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unanswered.add(question)
        self._broker.answer(question)
        try:
            await question
        finally:
            self._unanswered.discard(question)
        if self._connection is not connection:
            raise BrokerUnavailable(f"the connection of {self.name} to the in-memory broker ended meanwhile")

    def _required(self) -> asyncio.Event:
        if self._connection is None:
            raise BrokerUnavailable(f"{self.name} is not connected to the in-memory broker")
        return self._connection

    def _later(self, call: Callable[[], None]) -> None:
        """Make *call* from the loop, unless this connection has ended by then."""
        connection = self._required()

        def unless_ended() -> None:
            if self._connection is connection:
                call()

        asyncio.get_running_loop().call_soon(unless_ended)

    def _stands(self) -> None:
        """Begin what a connection is for, after the listener was told."""

    def _forget(self) -> None:
        """Drop what ends with the connection."""
        raise NotImplementedError
