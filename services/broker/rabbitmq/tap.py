"""The reading end of a connection: takes out our deliveries, sees every event, and hands the rest to aiormq."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

import structlog
from aiormq.connection import TransportFactory
from yarl import URL

from services.broker.rabbitmq.deliveries import Deliveries, Delivery
from services.broker.rabbitmq.frames import Event, FrameSplitter, NotFrames, check_first
from services.broker.rabbitmq.losses import by_dialing
from services.runtime.clock import Clock

_HEARTBEAT: Final = b"\x08\0\0\0\0\0\0\xce"
_HEARTBEAT_S: Final = 1.0
"""A broker that sends data sends no heartbeats, and aiormq, which does not see that data, gives a connection up
after 3 x (heartbeat + 1) s: so it is told once a second that something came."""

REST_S: Final = 0.002
"""A busy connection is read at most once in so long; what comes meanwhile waits in the kernel.

A read costs as much as ten messages: 15,000 a second in 4,900 reads took 21 us of CPU each, in 600 reads 12.  At
2,000 ticks a second and 10 clients 2 ms instead of 1 take 18 % off a gateway's CPU and add 0.6 ms to the median
latency (2.0 ms).  What comes later than that after the last read is never held up, so a quiet connection stays
prompt."""

_log = structlog.get_logger("tickwire.broker")


class TapListener(Protocol):
    """Who is told what comes over a connection."""

    def on_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """These came by one read, in this order."""
        ...

    def on_event(self, event: Event) -> None:
        """The broker said something of the connection or of a channel."""
        ...

    def on_garbage(self, error: NotFrames) -> None:
        """What came last cannot be read; nothing comes after it."""
        ...


class Tap(asyncio.StreamReader):
    """A stream reader that hands on what comes, and notes when it last heard anything.

    aiormq gets whole frames only.  An exception that leaves `feed_data` would end the transport, so one of the
    listener's is only logged.
    """

    def __init__(self, clock: Clock, deliveries: Deliveries, listener: TapListener) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._clock, self._listener = clock, listener
        self._deliveries, self._splitter = deliveries, FrameSplitter()
        self._first = True
        self._garbage = self._took = self._resting = False
        self._rest_until = 0.0
        self._wire: asyncio.Transport | None = None
        self.heard = self._reassured = clock.monotonic()
        """When the last byte came, in seconds of the clock."""

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # what transports pass
        """Take what the transport read."""
        now = self._clock.monotonic()
        busy, self.heard = now - self.heard < REST_S, now
        self._took = False
        rest = data if self._garbage else self._untaken(data)
        if rest:
            super().feed_data(rest)
        if busy and self._took:
            self.rest(REST_S)

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.StreamReader`."""
        super().set_transport(transport)
        self._wire = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes

    def rest(self, seconds: float) -> None:
        """Read nothing for *seconds*; of two rests at once the longer one counts."""
        wire, loop = self._wire, asyncio.get_running_loop()
        until = loop.time() + seconds
        if self._resting:
            self._rest_until = max(self._rest_until, until)
        elif wire is not None and not wire.is_closing() and wire.is_reading():
            # If it is not reading, aiormq is behind, and lets it go on itself.
            wire.pause_reading()
            self._resting, self._rest_until = True, until
            loop.call_later(seconds, self._wake)

    def _wake(self) -> None:
        wire, loop = self._wire, asyncio.get_running_loop()
        left = self._rest_until - loop.time()
        if left > REST_S / 2:  # timers count in milliseconds
            loop.call_later(left, self._wake)
            return
        self._resting = False
        if wire is not None and not wire.is_closing():
            wire.resume_reading()

    def _untaken(self, data: bytes) -> bytes:
        try:
            if self._first:
                self._first = False
                check_first(data)
            found, batches, rest = self._deliveries.feed(data)
            events = self._splitter.feed(rest) if rest else ()
        except NotFrames as error:
            self._garbage = True
            self._tell(self._listener.on_garbage, error)
            return data  # so that aiormq stops waiting for an answer
        if found:
            self._tell(self._listener.on_deliveries, found)
        for reader, batch in batches:
            self._tell(reader, batch)
        for event in events:
            self._tell(self._listener.on_event, event)
        self._took = bool(found or batches)
        if self._took and self.heard - self._reassured >= _HEARTBEAT_S:
            self._reassured = self.heard
            rest += _HEARTBEAT  # whole frames were passed on: this is a boundary
        return rest

    def _tell(self, call: Callable[[Any], None], told: object) -> None:
        try:
            call(told)
        except Exception:  # noqa: BLE001 - see the class
            _log.exception("broker.listener_failed", call=call.__name__)


class TappedTransport(TransportFactory):
    """Opens one transport whose reader is a `Tap`; aiormq calls `create`."""

    def __init__(self, clock: Clock, deliveries: Deliveries, listener: TapListener) -> None:
        self._clock, self._deliveries, self._listener = clock, deliveries, listener
        self.tap: Tap | None = None
        self.transport: asyncio.Transport | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to *url*.

        Raises:
            Lost: nobody listens there, or the TLS handshake failed.
        """
        secure = url.scheme == "amqps"
        loop = asyncio.get_running_loop()
        reader = Tap(self._clock, self._deliveries, self._listener)
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
