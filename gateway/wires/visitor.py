"""aiohttp's part of a connection, which tells the doorway how far its request has come.

By itself aiohttp bounds the time of a request's head (`keepalive_timeout`), but neither that of its body nor the
number of those who wait.  Its answers to what is no request repeat it, name Python's version, and log a traceback
each: whoever sends rubbish writes our log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from gateway.doorway import Guest
from gateway.wires.headers import PLAIN

LINGER_S: Final = 1.0
"""Seconds in which the rest of a body that nobody wants is read, so that the answer is not lost to a reset."""
MOST_HEADERS: Final = 64
"""Header fields of a request; a browser behind three proxies sends 30."""

_log = structlog.get_logger("tickwire.gateway")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Visitor(web.RequestHandler):
    """The protocol of one connection until a wire takes it over."""

    __slots__ = ("guest",)

    def __init__(self, server: web.Server, guest: Guest, *, idle_s: float) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=2 * idle_s,  # the doorway comes before it
            access_log=None,  # type: ignore[arg-type]
            lingering_time=LINGER_S,
            max_headers=MOST_HEADERS,
            auto_decompress=False,  # no request of ours is compressed
        )
        self.guest = guest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self.guest.connected(cast("asyncio.Transport", transport))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        self.guest.heard(len(data))
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone, or a wire has it."""
        self.guest.left()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what is no request (400), or to one that a defect of ours spoilt (500)."""
        del message  # it repeats what came
        if isinstance(exc, LineTooLong):
            self.guest.oversized()
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self.guest.garbled()
        elif not isinstance(exc, ConnectionError):  # that is the client's end
            _log.error("gateway.request_failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer is sent already")
        answer = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n", headers=PLAIN)
        answer.force_close()
        return answer


def visitors(runner: web.AppRunner, *, idle_s: float) -> Callable[[Guest], Visitor]:
    """Return what makes the protocol of a guest of *runner*, which is set up; *idle_s*: between two requests."""
    server = cast("web.Server", runner.server)
    return lambda guest: Visitor(server, guest, idle_s=idle_s)


def handshake_began(request: web.Request) -> float | None:
    """Return when the connection of *request* was accepted, or its first byte came where it is not the first one.

    In seconds of the doorway's clock; None: it did not come through one.
    """
    return request.protocol.guest.began if isinstance(request.protocol, Visitor) else None


@web.middleware
async def arrival(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Let *handler* begin once the whole request is there, its body read, and tell the doorway of both ends.

    The answer itself is written after this: its client has the time of another request to take it.
    """
    if not isinstance(request.protocol, Visitor):
        return await handler(request)
    guest = request.protocol.guest
    try:
        if request.body_exists:
            guest.asks()
            await _read(request, guest)
        guest.arrived()
        return await handler(request)
    finally:
        if request.transport is not None:  # else it has gone, or a wire has it
            guest.rests()


async def _read(request: web.Request, guest: Guest) -> None:
    try:
        await request.read()
    except web.HTTPRequestEntityTooLarge:
        guest.oversized()
        raise
    except web.RequestPayloadError:
        guest.garbled()
        answer = web.HTTPBadRequest()
        answer.force_close()
        raise answer from None
