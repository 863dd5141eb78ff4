"""The reading end of a connection: every byte goes on to aiormq untouched, and is seen on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiormq.connection import TransportFactory
from yarl import URL

from services.broker.rabbitmq.frames import Event, FrameSplitter, NotFrames
from services.broker.rabbitmq.losses import by_dialing
from services.runtime.clock import Clock

_log = structlog.get_logger("tickwire.broker")


class Tap(asyncio.StreamReader):
    """A stream reader that notes when it last heard anything and reports the broker's events.

    An exception that leaves `feed_data` would end the transport, so one in *observe* is only logged.
    """

    def __init__(self, clock: Clock, observe: Callable[[Event], None]) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._clock, self._observe = clock, observe
        self._splitter: FrameSplitter | None = FrameSplitter()
        self.heard = clock.monotonic()
        """When the last byte came, in seconds of the clock."""

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # what transports pass
        """Take what the transport read."""
        self.heard = self._clock.monotonic()
        for event in self._events(data):
            try:
                self._observe(event)
            except Exception:  # noqa: BLE001 - see the class
                _log.exception("broker.observer_failed", event_seen=event)
        super().feed_data(data)

    def _events(self, data: bytes) -> list[Event]:
        if self._splitter is None:
            return []
        try:
            return self._splitter.feed(data)
        except NotFrames as error:
            self._splitter = None  # aiormq reads the same bytes, and ends the connection
            _log.warning("broker.not_frames", detail=str(error))
            return []


class TappedTransport(TransportFactory):
    """Opens one transport whose reader is a `Tap`; aiormq calls `create`."""

    def __init__(self, clock: Clock, observe: Callable[[Event], None]) -> None:
        self._clock, self._observe = clock, observe
        self.tap: Tap | None = None
        self.transport: asyncio.Transport | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to *url*.

        Raises:
            Lost: nobody listens there, or the TLS handshake failed.
        """
        secure = url.scheme == "amqps"
        loop = asyncio.get_running_loop()
        reader = Tap(self._clock, self._observe)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            context = await kwargs["ssl_context_provider"].get_context() if secure else None
            transport, _ = await loop.create_connection(
                lambda: protocol, str(url.host), int(url.port or 0), ssl=context
            )
        except OSError as error:
            raise by_dialing(error, secure=secure) from error
        self.tap, self.transport = reader, transport
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
