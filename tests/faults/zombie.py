"""A producer whose run is over but goes on talking, as if there were no lease: ticks, heartbeats, a directory."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

from services.broker.ports import Route
from services.broker.topology import exchange_of, routing_key
from services.market.control import Control, Heartbeat, encode_control
from services.market.directory import DirectoryPart, Instrument, SessionState
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_body, encode_tick, message_id

GHOST: Final = Symbol("GHOST")
"""Only the zombie's directory names it."""
AHEAD: Final = 1_000_000
"""So far above the last position of its run are the marks that it tells, and some of its ticks."""
PRICE: Final = 77_777


class Zombie:
    """Speaks for *epoch* of shard main, which ended at *last*."""

    def __init__(self, url: str, epoch: int, last: Mapping[str, tuple[int, int]]) -> None:
        self.ticks = 0
        """Ticks handed to the broker, for the log and for those who follow."""
        self._url, self._epoch = url, epoch
        self._next = {symbol: seq + 1 for symbol, (_, seq) in last.items()}
        self._connection: AbstractConnection
        self._channel: AbstractChannel

    async def __aenter__(self) -> Self:
        """Connect."""
        self._connection = await aio_pika.connect(self._url)
        self._channel = await self._connection.channel(publisher_confirms=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be silent."""
        await self._connection.close()

    async def talk(self) -> None:
        """Say everything once: the next ticks, repeats, ticks far ahead, marks far ahead, and a directory."""
        for symbol, seq in self._next.items():
            await self._say(Route.TICK, symbol, seq, 3)
            await self._say(Route.TICK, symbol, max(1, seq - 2), 1)
            await self._say(Route.TICK, symbol, seq + AHEAD, 1)
            await self._say(Route.LAST, symbol, seq + AHEAD, 1)
            self._next[symbol] = seq + 3
        now = time.time_ns() // 1000
        marks = {Symbol(symbol): seq + AHEAD for symbol, seq in self._next.items()}
        await self._control(Heartbeat("main", self._epoch, now, self._epoch, marks, full=True))
        await self._control(DirectoryPart("main", self._epoch, 0, 1, tuple(self._instruments(now))))

    def _instruments(self, now: int) -> Sequence[Instrument]:
        names = [*map(Symbol, list(self._next)[::2]), GHOST]  # every other one has left it
        return [Instrument(s, s, "XNAS", "USD", 2, 1, PRICE, SessionState.HALTED, now) for s in names]

    async def _say(self, route: Route, symbol: str, first: int, count: int) -> None:
        now = time.time_ns() // 1000
        lines = [encode_tick(_tick(Symbol(symbol), seq, now)) for seq in range(first, first + count)]
        message = aio_pika.Message(encode_body(lines), message_id=message_id(self._epoch, first, now))
        exchange = await self._channel.get_exchange(exchange_of(route), ensure=False)
        await exchange.publish(message, routing_key(route, symbol))
        self.ticks += count

    async def _control(self, message: Control) -> None:
        exchange = await self._channel.get_exchange(exchange_of(Route.CONTROL), ensure=False)
        await exchange.publish(aio_pika.Message(encode_control(message)), routing_key(Route.CONTROL, ""))


def _tick(symbol: Symbol, seq: int, now: int) -> Tick:
    return Tick(seq, now, symbol, PRICE, 1, PRICE - 1, PRICE + 1, 1, 1, 10**9, 2)
