"""`/v1/stream`: the handshake of a native client."""

from __future__ import annotations

from typing import Final, NoReturn

from aiohttp import web

from gateway.admission.authority import TokenRefused
from gateway.admission.doorkeeper import Caller, Seat
from gateway.admission.reception import Reception
from gateway.admission.refusal import Handshake, Refusal
from gateway.closing import Side
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires import framing
from gateway.wires.caller import Networks, leaks, offered, read_caller, shown
from gateway.wires.farewell import Farewell
from gateway.wires.handover import Upgrade, take_over
from gateway.wires.inbound import Inbound
from gateway.wires.native.connection import Connection
from gateway.wires.native.desk import ClientFeed, Desk
from gateway.wires.turning import turn_away
from gateway.wires.visitor import handshake_began

SUBPROTOCOL: Final = "tickwire.v1"
"""A client that offers it is upgraded before it is refused: a browser cannot see an HTTP status."""


class Stream:
    """The handler of the native wire: admits, upgrades, and hands the transport to a `Connection`."""

    def __init__(
        self,
        settings: GatewaySettings,
        feed: ClientFeed,
        sessions: Sessions,
        reception: Reception,
        trusted: Networks,
    ) -> None:
        self._desk = Desk(settings, feed, sessions, reception)
        self._reception, self._trusted = reception, trusted
        self._counters = sessions.counters

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one client's handshake."""
        names = offered(request)
        self._check(request, names)
        caller = read_caller(request, self._trusted)
        result = await self._received(request, caller)
        if isinstance(result, Refusal) and SUBPROTOCOL not in names:
            turn_away(result)
        upgrade = Upgrade(protocols=(SUBPROTOCOL,), compress=False)
        try:
            await self._upgrade(request, upgrade)
        except BaseException:
            if isinstance(result, Seat):
                result.leave()
            raise
        if isinstance(result, Seat):
            result = self._reception.confirm(caller, result) or result
        if isinstance(result, Refusal):
            self._turn_away(request, result)
        else:
            self._admit(request, caller, result)
        return upgrade

    def _check(self, request: web.Request, names: tuple[str, ...]) -> None:
        leaked = leaks(request)
        if leaked is not None:
            self._bad(f"{leaked} stands in the URL, where logs keep it: a token comes in Authorization, see docs")
        if names and SUBPROTOCOL not in names:
            # A browser would drop the connection after the upgrade, for no reason that it shows.
            self._bad(f"the only subprotocol here is {SUBPROTOCOL}")

    def _bad(self, text: str) -> NoReturn:
        self._counters.handshakes[Handshake.BAD] += 1
        raise web.HTTPBadRequest(text=text + "\n")

    async def _received(self, request: web.Request, caller: Caller) -> Seat | Refusal:
        try:
            what = shown(request)
        except TokenRefused as error:
            return self._reception.refused(caller, error)
        return await self._reception.receive(caller, what, later=True)

    async def _upgrade(self, request: web.Request, upgrade: Upgrade) -> None:
        try:
            await upgrade.prepare(request)
        except (web.HTTPException, ConnectionError):
            self._counters.handshakes[Handshake.BAD] += 1
            raise

    def _admit(self, request: web.Request, caller: Caller, seat: Seat) -> None:
        try:
            began = handshake_began(request)
            transport, tail = take_over(request)
        except ConnectionResetError:
            seat.leave()
            raise
        try:
            connection = Connection(self._desk, transport, caller, seat, began=began)
        except BaseException:
            transport.abort()  # nobody else knows of it any more
            seat.leave()
            raise
        if tail:
            connection.data_received(tail)

    def _turn_away(self, request: web.Request, refusal: Refusal) -> None:
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
