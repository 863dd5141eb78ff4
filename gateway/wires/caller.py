"""Who makes a request, and what they show: read from its headers, decided nowhere here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.admission.address import Network, came_by_tls, client_address, key
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.doorkeeper import Caller
from gateway.admission.reception import Shown

BEARER: Final = "bearer."
"""Beginning of a subprotocol whose rest is a token: the one header of a WebSocket that a page may fill."""
TICKET: Final = "ticket"
"""The one secret that may stand in a URL: it is worth nothing a moment later."""
FORBIDDEN_QUERY: Final = frozenset({"token", "access_token", "api_key", "apikey", "key", "jwt", "authorization"})
"""Where other servers take tokens, and every proxy on the way writes them into its log."""

Networks = Sequence[Network]


def read_caller(request: web.Request, trusted: Networks) -> Caller:
    """Return who makes *request*; *trusted* are the proxies that are believed."""
    headers, peer = request.headers, _peer(request)
    found = client_address(peer, headers.getall("X-Forwarded-For", ()), trusted)
    origins = headers.getall("Origin", ())
    return Caller(
        address=None if found is None else str(found),
        key=key(found),
        origin=", ".join(origins) if origins else None,
        host=request.host,
        secure=came_by_tls(peer, headers.getall("X-Forwarded-Proto", ()), trusted, tls=_is_tls(request)),
    )


def offered(request: web.Request) -> tuple[str, ...]:
    """Return the subprotocols that a client offers, in order."""
    header = ",".join(request.headers.getall("Sec-WebSocket-Protocol", ()))
    return tuple(name for part in header.split(",") if (name := part.strip()))


def shown(request: web.Request) -> Shown:
    """Return the token or ticket that a request shows.

    Raises:
        TokenRefused: the Authorization header is none that carries a token.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise TokenRefused(Reason.MALFORMED)
        return Shown(token.strip())
    for name in offered(request):
        if name.startswith(BEARER):
            return Shown(name.removeprefix(BEARER))
    return Shown(ticket=request.query.get(TICKET))


def leaks(request: web.Request) -> str | None:
    """Return the name of a query parameter that looks like a token, which no URL may carry."""
    return next((name for name in request.query if name.lower() in FORBIDDEN_QUERY), None)


def _peer(request: web.Request) -> str | None:
    transport = request.transport
    name = None if transport is None else transport.get_extra_info("peername")
    return name[0] if isinstance(name, tuple) else None


def _is_tls(request: web.Request) -> bool:
    transport = request.transport
    return transport is not None and transport.get_extra_info("sslcontext") is not None
