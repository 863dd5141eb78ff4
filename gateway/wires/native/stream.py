"""`/v1/stream`: the handshake of a native client."""

from __future__ import annotations

from typing import Final, NoReturn

from aiohttp import web

from gateway.closing import Side
from gateway.metrics import Handshake
from gateway.sessions import Refusal, Sessions
from gateway.settings import GatewaySettings
from gateway.wires import framing
from gateway.wires.farewell import Farewell
from gateway.wires.handover import Upgrade, take_over
from gateway.wires.inbound import Inbound
from gateway.wires.native.connection import ClientFeed, Connection, Desk

SUBPROTOCOL: Final = "tickwire.v1"
"""A client that offers it is upgraded before it is refused: a browser cannot see an HTTP status."""


class Stream:
    """The handler of the native wire: admits, upgrades, and hands the transport to a `Connection`."""

    def __init__(self, settings: GatewaySettings, feed: ClientFeed, sessions: Sessions) -> None:
        self._desk = Desk(settings, feed, sessions)
        self._sessions = sessions
        self._counters = sessions.counters

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one client's handshake."""
        offered = _offered(request)
        refusal = self._sessions.refusal()
        if refusal is not None and SUBPROTOCOL not in offered:
            self._refuse(refusal)
        if offered and SUBPROTOCOL not in offered:
            # A browser would drop the connection after the upgrade, for no reason that it shows.
            self._counters.handshakes[Handshake.BAD] += 1
            raise web.HTTPBadRequest(text=f"the only subprotocol here is {SUBPROTOCOL}\n")
        upgrade = Upgrade(protocols=(SUBPROTOCOL,), compress=False)
        await self._upgrade(request, upgrade)
        refusal = refusal or self._sessions.refusal()
        if refusal is not None:
            self._turn_away(request, refusal)
        else:
            self._admit(request)
        return upgrade

    def _refuse(self, refusal: Refusal) -> NoReturn:
        self._counters.handshakes[refusal.handshake] += 1
        raise web.HTTPServiceUnavailable(
            headers={"Retry-After": str(refusal.retry_after_s)}, text=f"{refusal.close.reason}\n"
        )

    async def _upgrade(self, request: web.Request, upgrade: Upgrade) -> None:
        try:
            await upgrade.prepare(request)
        except (web.HTTPException, ConnectionError):
            self._counters.handshakes[Handshake.BAD] += 1
            raise

    def _admit(self, request: web.Request) -> None:
        transport, tail = take_over(request)
        try:
            connection = Connection(self._desk, transport, request.remote)
        except BaseException:
            transport.abort()  # nobody else knows of it any more
            raise
        self._counters.handshakes[Handshake.OK] += 1
        if tail:
            connection.data_received(tail)

    def _turn_away(self, request: web.Request, refusal: Refusal) -> None:
        self._counters.handshakes[refusal.handshake] += 1
        self._counters.closes[refusal.close, Side.SERVER] += 1
        transport, tail = take_over(request)
        transport.write(framing.close(refusal.close.code, refusal.close.reason))
        farewell = Farewell(
            transport, Inbound(self._desk.settings.message_bytes), finish=transport.abort, ended=_nothing
        )
        if tail:
            farewell.data_received(tail)


def _nothing() -> None:
    """Nobody waits for the end of a connection that was turned away."""


def _offered(request: web.Request) -> frozenset[str]:
    header = ",".join(request.headers.getall("Sec-WebSocket-Protocol", ()))
    return frozenset(name.strip() for name in header.split(",")) - {""}
