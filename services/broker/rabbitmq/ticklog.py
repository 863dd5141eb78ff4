"""The RabbitMQ side of `services.broker.history.TickLog`: the log and the candle log, read from the past on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import ceil
from typing import Final, NoReturn

from aiormq.exceptions import ChannelAccessRefused
from prometheus_client import CollectorRegistry

from services.broker import topology
from services.broker.candlelog import decode_candles, encode_candles
from services.broker.history import LogListener, TickLog
from services.broker.metrics import BrokerMetrics
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.consuming import Consuming
from services.broker.rabbitmq.deliveries import Batch, Delivery
from services.broker.rabbitmq.frames import Blocked, Event
from services.broker.rabbitmq.link import Link, ignore
from services.broker.rabbitmq.log import declare_candles, declare_log
from services.broker.rabbitmq.post import Post
from services.broker.rabbitmq.queues import declare_revocations
from services.broker.rabbitmq.reel import Reel
from services.broker.rabbitmq.supervisor import Supervisor
from services.errors import MalformedMessage
from services.market.candle import Candle
from services.market.control import decode_control
from services.market.wire import TickMessage, decode_message
from services.runtime.clock import Clock

PREFETCH: Final = 5_000
"""Entries of the log that the broker sends ahead of our acks.

240,000 messages of one tick, read back in turns on a busy machine: with 1,000 at 22,000 to 28,000 a second and
with 5,000 at 22,000 to 29,000 on RabbitMQ 3.10; 28,000 to 37,000 and 36,000 to 49,000 on 4; 20,000 was no faster.
A message of one tick costs 8 us of CPU here, one of ten 17.
"""
CANDLES_PREFETCH: Final = 64
"""Entries of the candle log that the broker sends ahead; each is up to 64 KiB."""


class RabbitTickLog(TickLog):
    """Reads over one connection that only consumes; *url* and *name* as for `RabbitSource`.

    Candles are written over another one: a broker out of memory stops reading a connection that publishes, and
    with it the acks without which nothing more is sent.  While it is away or blocked, candles are dropped and
    counted.
    """

    def __init__(self, url: str, *, name: str, clock: Clock, metrics: BrokerMetrics | None = None) -> None:
        self._metrics = metrics or BrokerMetrics(CollectorRegistry())
        reading, writing = (parse_addresses(url, name=f"{name} {role}") for role in ("log", "publish"))
        self._reading = Supervisor(reading, "log", clock=clock, metrics=self._metrics)
        self._writing = Supervisor(writing, "publish", clock=clock, metrics=self._metrics)
        self._ticks: Reel | None = None
        self._post: Post | None = None

    async def run(self, listener: LogListener, *, keep_s: float) -> None:
        """Connect, read, reconnect; ends by cancellation only, and both connections are closed then."""
        entries = Entries(listener)
        ticks = Reel(
            topology.LOG, f"{ceil(keep_s)}s", entries.take_ticks, prefetch=PREFETCH, skipped=listener.on_skipped
        )
        candles = Reel(topology.CANDLE_LOG, "first", entries.take_candles, prefetch=CANDLES_PREFETCH)
        self._ticks = ticks
        read = partial(self._read, listener, entries, (candles, ticks))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reading.run(read, listener.on_lost, ignore))
            tasks.create_task(self._writing.run(self._write, ignore, self._observe))

    def store(self, candles: Sequence[Candle]) -> None:
        """See the port."""
        written = self._post is not None and self._written(self._post, candles)
        self._metrics.rpc.candles.labels("written" if written else "dropped").inc(len(candles))

    def reread(self) -> None:
        """See the port."""
        if self._ticks is not None:
            self._ticks.rewind()

    def _written(self, post: Post, candles: Sequence[Candle]) -> bool:
        parts = list[bytes]()
        for body in encode_candles(candles):
            post.add(parts, topology.CANDLES, "", body)
        return post.write(parts)

    async def _read(
        self,
        listener: LogListener,
        entries: Entries,
        reels: Sequence[Reel],
        link: Link,
        stands: Callable[[], None],
    ) -> NoReturn:
        link.take = entries.take_control
        consuming = Consuming(link, ignore)
        try:
            with link.answer_within():
                # All that is read here, so that history may start before any producer.
                channel = await link.connection.channel(publisher_confirms=False)
                await declare_log(channel)
                await declare_candles(channel)
                await channel.close()
                await _declare_revocations(link)
            await consuming.attach()
            stands()
            listener.on_connected()
            await consuming.start()
            async with asyncio.TaskGroup() as playing:
                for reel in reels:
                    playing.create_task(reel.play(link))
            raise await link.ended()
        finally:
            link.take = ignore
            await link.close()
            await consuming.finished()

    async def _write(self, link: Link, stands: Callable[[], None]) -> NoReturn:
        with link.answer_within():
            channel = await link.connection.channel(publisher_confirms=False)
            await declare_candles(channel)
        try:
            self._post = Post(link, channel)
            stands()
            raise await link.ended()
        finally:
            self._post = None

    def _observe(self, event: Event) -> None:
        if isinstance(event, Blocked):
            self._metrics.blocked.labels("publish").set(event.blocked)
        if self._post is not None:
            self._post.observe(event)


async def _declare_revocations(link: Link) -> None:
    """Make the revocation log, which is not read here: whoever may make it may delete it, so gateways may not."""
    with suppress(ChannelAccessRefused):  # nor may this user: then the first `tickwire revoke` does it
        await declare_revocations(link)


class Entries:
    """Decodes what came by one read and hands it over together; what no codec of ours wrote, one by one."""

    def __init__(self, listener: LogListener) -> None:
        self._listener = listener

    def take_ticks(self, batch: Batch) -> None:
        """Take entries of the log."""
        messages, errors = list[TickMessage](), list[MalformedMessage]()
        symbol_of, decode, keep = topology.symbol_of, decode_message, messages.append
        for key, identity, body in batch.entries:
            try:
                keep(decode(symbol_of(key), identity, body))
            except MalformedMessage as error:
                errors.append(error)
        if messages:
            self._listener.on_ticks(messages)
        self._complain(errors)

    def take_candles(self, batch: Batch) -> None:
        """Take entries of the candle log."""
        candles, errors = list[Candle](), list[MalformedMessage]()
        for _, _, body in batch.entries:
            try:
                candles += decode_candles(body)
            except MalformedMessage as error:
                errors.append(error)
        if candles:
            self._listener.on_candles(candles)
        self._complain(errors)

    def take_control(self, deliveries: Sequence[Delivery]) -> None:
        """Take control messages."""
        for _, _, body in deliveries:
            try:
                self._listener.on_control(decode_control(body))
            except MalformedMessage as error:
                self._listener.on_malformed(error)

    def _complain(self, errors: Sequence[MalformedMessage]) -> None:
        for error in errors:
            self._listener.on_malformed(error)
