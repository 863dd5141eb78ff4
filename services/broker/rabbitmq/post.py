"""One channel whose messages are written by hand, without confirms; its end is the connection's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiormq.abc import AbstractChannel
from pamqp import commands

from services.broker.ports import LostReason
from services.broker.rabbitmq.frames import Blocked, Closed, Envelopes, Event
from services.broker.rabbitmq.link import Link
from services.broker.topology import Exchange

UNSENT_BYTES: Final = 8 * 1024**2
"""Bytes that may wait in the transport before anything more is written: a broker that does not read (an alarm, or
frozen until our watchdog ends it) must not fill our memory."""


class Post:
    """Writes messages on *channel*; a channel or consumer that ends takes the connection with it.

    A connection that does one thing only has nothing to save then, and a new one is made within 0.1 s.
    """

    def __init__(self, link: Link, channel: AbstractChannel) -> None:
        self._link, self._channel = link, channel
        self._blocked = self._stopped = False
        self._envelopes = Envelopes(channel.number, link.connection.connection_tune.frame_max)
        channel.closing.add_done_callback(lambda _: self.end("the channel was closed"))
        channel.on_consumer_cancel_callbacks.add(self._cancelled)

    @property
    def ready(self) -> bool:
        """Whether the broker takes messages."""
        return self._stands and not self._blocked and self._link.transport.get_write_buffer_size() < UNSENT_BYTES

    @property
    def _stands(self) -> bool:
        ended = self._stopped or self._channel.is_closed
        return not ended and self._link.open and not self._link.transport.is_closing()

    def add(self, parts: list[bytes], exchange: Exchange, key: str, body: bytes) -> None:
        """Append to *parts* the bytes that publish *body*."""
        self._envelopes.add(parts, exchange.name, key, None, body)

    def write(self, parts: Sequence[bytes], *, waits: bool = False) -> bool:
        """Write *parts* at once and return True; False: nothing was written, since nobody takes it.

        *waits*: write though the broker takes nothing yet, where the caller bounds how much waits so.
        """
        if not (self._stands if waits else self.ready):
            return False
        self._link.transport.write(b"".join(parts))
        return True

    def observe(self, event: Event) -> None:
        """Hear what the broker says, before aiormq knows."""
        if isinstance(event, Blocked):
            self._blocked = event.blocked
        elif isinstance(event, Closed) and event.channel in (0, self._channel.number):
            self._stopped = True  # a frame on a closed channel would cost the connection its true reason
            if event.channel:
                self._link.end(LostReason.PROTOCOL, f"{event.code} {event.text}")

    def end(self, detail: str) -> None:
        """End a connection that stands."""
        self._stopped = True
        if self._link.open:
            self._link.end(LostReason.CLOSED, detail)

    def _cancelled(self, frame: commands.Basic.Cancel) -> None:
        self.end(f"the broker cancelled consumer {frame.consumer_tag}: its queue is gone")
