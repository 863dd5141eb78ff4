"""The end of a WebSocket connection: what comes after our close frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.wires.inbound import Farewell as Answer
from gateway.wires.inbound import Inbound, Violation

FAREWELL_S: Final = 2.0
"""Seconds that a client has to answer a close frame (RFC 6455 section 7.1.1 lets it end TCP first)."""
FAREWELL_EVENTS: Final = 1_000
"""Messages, pings and pongs among which the answer is looked for: a flood that was ended need not be parsed."""


class Farewell(asyncio.Protocol):
    """Takes the connection of *transport*, to which a close frame was written, to its end.

    Ignores everything but the client's own close frame; after that, or `FAREWELL_S`, *finish* shall free the
    socket. *ended* is called once it is gone.

    *failed*: the client broke the protocol, and no close frame can be expected of it (RFC 6455 section 7.1.7).
    Then our side of TCP ends at once, and what the client still sends is only taken off the socket: with bytes in
    it a closed socket is reset, and a reset overtakes the close frame.
    """

    __slots__ = ("_ended", "_finish", "_inbound", "_left", "_timer")

    def __init__(
        self,
        transport: asyncio.Transport,
        inbound: Inbound,
        *,
        finish: Callable[[], None],
        ended: Callable[[], None],
        failed: bool = False,
    ) -> None:
        self._inbound = None if failed else inbound
        self._finish, self._ended = finish, ended
        self._left = FAREWELL_EVENTS
        self._timer = asyncio.get_running_loop().call_later(FAREWELL_S, finish)
        transport.set_protocol(self)
        if not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()
        if failed and transport.can_write_eof():  # TLS cannot
            transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Look for the answer."""
        if self._inbound is None:
            return
        for event in self._inbound.feed(data):
            self._left -= 1
            if isinstance(event, Answer | Violation):
                self._finish()
                return
            if not self._left:
                self._inbound = None
                return

    def eof_received(self) -> None:
        """The client is done: so are we."""
        self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        del exc
        self._timer.cancel()
        self._ended()
