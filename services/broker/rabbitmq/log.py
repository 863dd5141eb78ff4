"""The log: a stream, written by every publisher and read back from its end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

import structlog
from aiormq.abc import AbstractChannel
from yarl import URL

from services.broker import topology
from services.broker.backoff import Backoff, jitter
from services.broker.rabbitmq.deliveries import Batch
from services.broker.rabbitmq.link import Link, dial, is_cancelled
from services.broker.rabbitmq.playback import Playback
from services.broker.traffic import Traffic
from services.errors import BrokerUnavailable, MalformedMessage
from services.market.symbol import Symbol
from services.market.wire import decode_message
from services.runtime.clock import Clock

FIRST_S: Final = 2.0
"""Longest wait for a first entry: a log that says nothing for so long is empty."""
QUIET_S: Final = 0.25
"""No entry for so long after the last one: its end is reached."""
READ_S: Final = 20.0
"""Longest reading; 2 min of 2,000 messages a second take about 10 s."""
OFFSETS: Final = ("last", "10s", "2m")
"""Where to begin.  The last chunk is enough if it names every symbol; 10 s if they name any (a run begins with a
tick of every symbol); in 2 min every symbol of a living shard is written again, twice."""

_log = structlog.get_logger("tickwire.broker")


async def declare_log(channel: AbstractChannel) -> None:
    """Declare exchanges, log and bindings on *channel*.

    Without a binding a publish is confirmed and lost: this belongs to each connect.
    """
    for exchange in topology.EXCHANGES:
        await channel.exchange_declare(exchange.name, exchange_type=exchange.kind, durable=True)
    await channel.queue_declare(topology.LOG, durable=True, arguments=dict(topology.LOG_ARGUMENTS))
    for key in topology.LOG_KEYS:
        await channel.queue_bind(topology.LOG, topology.TICKS.name, key)


async def declare_candles(channel: AbstractChannel) -> None:
    """Declare the candle log on *channel*."""
    exchange = topology.CANDLES
    await channel.exchange_declare(exchange.name, exchange_type=exchange.kind, durable=True)
    await channel.queue_declare(topology.CANDLE_LOG, durable=True, arguments=dict(topology.CANDLE_LOG_ARGUMENTS))
    await channel.queue_bind(topology.CANDLE_LOG, exchange.name)


class LogTail:
    """Reads the newest entries of the log, each time over a short connection of its own, as *traffic* counts."""

    def __init__(self, addresses: Sequence[URL], *, clock: Clock, traffic: Traffic | None = None) -> None:
        self._addresses, self._clock, self._traffic = addresses, clock, traffic

    async def newest_epoch(self, symbols: Collection[Symbol]) -> int | None:
        """Return the largest epoch among the newest entries for *symbols*; tries until the log answers."""
        if not symbols:
            return None
        backoff = Backoff(jitter)
        attempt = 0
        while True:
            address = self._addresses[attempt % len(self._addresses)]
            attempt += 1
            try:
                async with dial(address, self._clock, traffic=self._traffic) as link:
                    return await self._read(link, symbols)
            except BrokerUnavailable as error:
                _log.debug("broker.log_unread", detail=str(error))
            await asyncio.sleep(backoff.after(0.0))

    async def _read(self, link: Link, symbols: Collection[Symbol]) -> int | None:
        try:
            return await self._newest(link, set(symbols))
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            raise link.verdict(error) from error

    async def _newest(self, link: Link, symbols: set[Symbol]) -> int | None:
        found: dict[Symbol, int] = {}
        for offset in OFFSETS:
            reading = Reading(link, self._clock.wall_us())
            found |= {s: epoch for s, epoch in (await reading.epochs(offset)).items() if s in symbols}
            if found.keys() == symbols or (found and offset != OFFSETS[0]) or not reading.entries:
                break
        return max(found.values(), default=None)


class Reading:
    """One reading of the log, from an offset to where it was at the start."""

    def __init__(self, link: Link, until_us: int) -> None:
        self._link, self._until = link, until_us
        self._epochs: dict[Symbol, int] = {}
        self.entries = 0
        self._news = asyncio.Event()
        self._complete = False

    async def epochs(self, offset: str) -> dict[Symbol, int]:
        """Return the largest epoch of each symbol that has an entry after *offset*."""
        with self._link.answer_within():
            channel = await self._link.connection.channel(publisher_confirms=False)
            await declare_log(channel)
            playback = Playback(self._link, channel, self._take)
            await playback.start(offset)
        try:
            async with asyncio.timeout(READ_S):
                await self._to_the_end()
        except TimeoutError:
            _log.warning("broker.log_cut", seconds=READ_S, entries=self.entries)
        await playback.stop()
        return self._epochs

    async def _to_the_end(self) -> None:
        patience = FIRST_S
        while not self._complete:
            try:
                async with asyncio.timeout(patience):
                    await self._news.wait()
            except TimeoutError:
                return
            self._news.clear()
            patience = QUIET_S

    def _take(self, batch: Batch) -> None:
        self.entries += len(batch.entries)
        self._news.set()
        for key, identity, body in batch.entries:
            symbol = topology.symbol_of(key)
            try:
                entry = decode_message(symbol, identity, body)
            except MalformedMessage:
                continue  # whoever reads the log for its ticks counts it
            self._complete = self._complete or entry.published >= self._until
            self._epochs[symbol] = max(entry.epoch, self._epochs.get(symbol, 0))
