"""A sink and a clock that do what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from services.broker.ports import NO_CONTEXTS, Contexts, LostReason, Outgoing, Route, SinkListener
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol

WALL = 1_795_000_000_000_000


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.stepped = 0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return WALL + round((self.now - 100.0) * 1e6) + self.stepped


class ScriptedSink:
    """A `TickSink` whose connection, answers and log are the test's."""

    def __init__(self, newest: int | None = None) -> None:
        self.newest = newest
        self.listener: SinkListener | None = None
        self.standing = False
        self.number = 0
        self.batches: list[list[Outgoing]] = []
        """What was published, on all connections."""
        self.contexts: dict[tuple[str, str | None], str] = {}
        """The trace contexts that came, by symbol and message_id."""
        self.up = asyncio.Event()
        self.running = False
        self.auto = False
        """Whether everything is confirmed in the loop's next turn."""

    async def run(self, listener: SinkListener) -> None:
        """Do nothing but be there until cancelled."""
        self.listener, self.running = listener, True
        try:
            await asyncio.Event().wait()
        finally:
            self.running = False

    def publish(self, messages: Sequence[Outgoing], contexts: Contexts = NO_CONTEXTS) -> int:
        """Write them down."""
        if not self.standing:
            raise BrokerUnavailable("not connected")
        self.batches.append(list(messages))
        for index, context in contexts.items():
            self.contexts[messages[index].symbol, messages[index].identity] = context
        self.number += len(messages)
        if self.auto:
            asyncio.get_running_loop().call_soon(self.settle, self.number)
        return self.number

    def reconnect(self) -> None:
        """End the connection as the broker's silence; the test makes another."""
        self.lose(LostReason.SILENT)

    async def newest_epoch(self, symbols: Collection[Symbol]) -> int | None:
        """Wait for a connection, then answer."""
        await self.up.wait()
        assert symbols
        return self.newest

    def connect(self, listener: SinkListener | None = None) -> None:
        """Let a connection stand."""
        self.standing, self.number = True, 0
        self.listener = listener or self.listener
        self.up.set()
        assert self.listener is not None
        self.listener.on_connected()

    def lose(self, reason: LostReason = LostReason.BROKEN) -> None:
        """End the connection."""
        self.standing = False
        self.up.clear()
        assert self.listener is not None
        self.listener.on_lost(reason)

    def settle(self, number: int, *, multiple: bool = True, accepted: bool = True) -> None:
        """Answer for *number*."""
        assert self.listener is not None
        self.listener.on_settled(number, multiple=multiple, accepted=accepted)

    def taken(self, route: Route) -> list[Outgoing]:
        """What was published for *route* since the last call for it."""
        found = [m for batch in self.batches for m in batch if m.route is route]
        self.batches = [[m for m in batch if m.route is not route] for batch in self.batches]
        return found

    def controls(self, kind: str) -> list[dict[str, Any]]:
        """The control messages of one kind since the last call; the others are gone too."""
        return [c for c in (orjson.loads(m.body) for m in self.taken(Route.CONTROL)) if c["type"] == kind]
