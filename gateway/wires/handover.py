"""From aiohttp's handshake to a protocol of our own.  The only place that touches aiohttp's internals.

aiohttp does what HTTP is about: routes, headers, the handshake of RFC 6455 section 4.2.  Afterwards its request,
writer, reader and two tasks per connection cost 12 KB of memory and do nothing that a stream of ticks needs.  So
the transport is handed over, and they are freed.  What is touched (`pyproject.toml` pins aiohttp 3.14 for it):
the `_upgraded`, `_message_tail` and `transport` of the `RequestHandler`, and `WebSocketResponse._post_start`.
`tests/unit/gateway/wires/test_handover.py` fails where one of them is gone.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web


class Upgrade(web.WebSocketResponse):
    """The answer to a WebSocket handshake, and nothing after it: no reader is made, and no end is written."""

    def _post_start(self, *_: Any) -> None:
        """Leave the reading of frames to whoever takes the transport."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing: the response ends with its headers."""
        del data


def take_over(request: web.Request) -> tuple[asyncio.Transport, bytes]:
    """Return the transport of an upgraded *request*, and the bytes that came behind the handshake already.

    The caller sets the transport's protocol at once, and feeds it these bytes.  aiohttp forgets the connection in
    the next turn of the loop, as if it had been lost.

    Raises:
        ConnectionResetError: the client left during the handshake.
    """
    handler: Any = request.protocol
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client left during the handshake")
    tail: bytes = handler._message_tail  # noqa: SLF001 - see the module
    handler._message_tail, handler._upgraded = b"", False  # noqa: SLF001 - else it is parsed as one more request
    handler.transport = None  # else its end would close it
    asyncio.get_running_loop().call_soon(handler.connection_lost, None)
    if not transport.is_reading():  # aiohttp pauses where much came behind the handshake
        transport.resume_reading()
    return transport, tail
