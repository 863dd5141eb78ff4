"""A log, played back from any offset: its entries in batches, acknowledged in batches."""

from __future__ import annotations

import asyncio
from typing import Final

from aiormq.abc import AbstractChannel

from services.broker import topology
from services.broker.rabbitmq.deliveries import Batch, Consumer, Reader, Wanted
from services.broker.rabbitmq.frames import ack_frame
from services.broker.rabbitmq.link import Link
from services.market.symbol import Symbol

PREFETCH: Final = 1_000
"""Entries that the broker sends ahead of our acks; a stream needs a bound."""
ACKS_PER_PREFETCH: Final = 4
"""In quarters of the prefetch: RabbitMQ 4.0 sends up to four times as fast as with an ack per read (measured)."""
ACK_S: Final = 5.0
"""Longest that an entry waits for its ack: after 30 min (`consumer_timeout`) the broker closes the channel."""
_TAG: Final = "log"


class Playback:
    """Gives *take* what comes from a log, one call per read, and acknowledges it.  A channel has one at most.

    *take* must not raise: what it was given counts as taken all the same.  *stream*: which log.  *prefetch*:
    entries that the broker sends ahead of our acks.
    """

    def __init__(
        self,
        link: Link,
        channel: AbstractChannel,
        take: Reader,
        *,
        stream: str = topology.LOG,
        prefetch: int = PREFETCH,
    ) -> None:
        self._link, self._channel, self._take = link, channel, take
        self._stream, self._prefetch, self._ack_every = stream, prefetch, prefetch // ACKS_PER_PREFETCH
        self._consumer: Consumer = (channel.number, _TAG.encode())
        self._owed = self._number = 0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, offset: int | str) -> None:
        """Play from *offset*: a number, or `first`, `last` (chunk), `next`, or an age such as `10s`, `2m`, `1h`.

        Raises:
            ChannelNotFoundEntity: there is no log, or its home is not up yet: right after a broker's restart both
                are the same.
        """
        self._link.lifted[self._consumer] = Wanted(Symbol(""), self._on_batch)
        await self._channel.basic_qos(prefetch_count=self._prefetch)
        await self._channel.basic_consume(
            self._stream, _stray, consumer_tag=_TAG, arguments={"x-stream-offset": offset}
        )

    async def stop(self) -> None:
        """Close the channel; *take* is not called any more."""
        self._take = _ignore
        self._number = 0  # an ack on a closed channel would cost the connection
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._channel.close()
        finally:
            self._link.lifted.pop(self._consumer, None)

    def _on_batch(self, batch: Batch) -> None:
        try:
            self._take(batch)
        finally:
            self._owe(batch)

    def _owe(self, batch: Batch) -> None:
        if self._take is _ignore:
            return
        self._owed += len(batch.entries)
        self._number = batch.number
        if self._owed >= self._ack_every:
            self._pay()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ACK_S, self._pay_late)

    def _pay_late(self) -> None:
        self._timer = None
        self._pay()

    def _pay(self) -> None:
        number, self._number, self._owed = self._number, 0, 0
        if number and self._link.open and not self._channel.is_closed and not self._link.transport.is_closing():
            self._link.transport.write(ack_frame(self._channel.number, number))


async def _stray(_: object) -> None:
    """Take what came after the end, and drop it: the channel is closed without an ack."""


def _ignore(_: Batch) -> None:
    """Take nothing."""
