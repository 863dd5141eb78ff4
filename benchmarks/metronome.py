"""A producer that ticks as regularly as the peers' publishers do: one symbol, so many ticks at fixed times.

It publishes through the product's own sink and codec.  The product's producer simulates a market, whose ticks come
in bursts; for a comparison with programs that send at fixed times that would be another load.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from benchmarks.peers.peer import SYMBOL, Schedule
from services.broker.ports import LostReason, Outgoing, Route, SinkListener
from services.broker.rabbitmq import RabbitSink
from services.market.control import Control, Heartbeat, encode_control
from services.market.directory import Instrument, SessionState, split
from services.market.symbol import Symbol
from services.market.wire import encode_body, message_id
from services.runtime.clock import SystemClock

SHARD: Final = "metronome"


class Metronome(SinkListener):
    """Publishes to *url* from `start` to `stop`."""

    def __init__(self, url: str) -> None:
        self._clock = SystemClock()
        self._sink = RabbitSink(url, name="metronome", clock=self._clock)
        self._epoch = self._clock.wall_us() // 1000
        self._seq = 0
        self._connected = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect, and beat from then on."""
        self._tasks.append(asyncio.create_task(self._sink.run(self)))
        await asyncio.wait_for(self._connected.wait(), 20)
        self._tasks.append(asyncio.create_task(self._beat()))

    async def stop(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def publish(self, schedule: Schedule) -> None:
        """Publish by *schedule*; the ticks of one time are one message."""
        await schedule.each(self._publish)

    async def _publish(self, lines: list[bytes]) -> None:
        first, self._seq = self._seq + 1, self._seq + len(lines)
        identity = message_id(self._epoch, first, time.time_ns() // 1000)
        self._sink.publish([Outgoing(Route.TICK, SYMBOL, identity, encode_body(lines))])

    async def _beat(self) -> None:
        symbol = Symbol(SYMBOL)
        while True:
            listed = Instrument(symbol, "Apple", "XNAS", "USD", 2, 1, 23015, SessionState.OPEN, 0)
            now = self._clock.wall_us()
            messages: list[Control] = [
                *split(SHARD, self._epoch, [listed]),
                Heartbeat(SHARD, self._epoch, now, self._epoch, {symbol: self._seq}, full=True),
            ]
            self._sink.publish([Outgoing(Route.CONTROL, "", None, encode_control(m)) for m in messages])
            await asyncio.sleep(1.0)

    def on_connected(self) -> None:
        """See `SinkListener`."""
        self._connected.set()

    def on_lost(self, reason: LostReason) -> None:
        """See `SinkListener`."""
        raise RuntimeError(f"the broker is gone: {reason}")

    def on_settled(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """See `SinkListener`."""

    def on_blocked(self, *, blocked: bool) -> None:
        """See `SinkListener`."""
