"""`POST /v1/ticket`: a ticket that opens one connection within 30 s, for who cannot send a header with it."""

from __future__ import annotations

from typing import Final

import orjson
from aiohttp import web

from gateway.admission.authority import TokenRefused
from gateway.admission.origin import allowed
from gateway.admission.reception import Reception
from gateway.admission.refusal import Refusal
from gateway.admission.ticket import TicketTooLong
from gateway.wires.caller import Networks, read_caller, shown
from gateway.wires.turning import turn_away
from services.broker.tickets import TICKET_S

_PREFLIGHT_S: Final = 600
"""Seconds that a browser may remember the answer."""


class Ticketing:
    """The handler.  *origins* are the pages of other hosts that may ask, by the rules of the Fetch standard."""

    def __init__(self, reception: Reception, trusted: Networks, origins: frozenset[str]) -> None:
        self._reception, self._trusted, self._origins = reception, trusted, origins

    async def serve(self, request: web.Request) -> web.Response:
        """Give a ticket to who shows a token in `Authorization`."""
        if not self._reception.tickets:
            raise web.HTTPNotFound(text="there are no tickets here\n")
        caller = read_caller(request, self._trusted)
        try:
            result = await self._reception.issue(caller, shown(request))
        except TokenRefused as error:
            result = self._reception.refused(caller, error)
        except TicketTooLong as error:
            raise web.HTTPRequestEntityTooLarge(0, 0, text=f"{error}\n") from None
        if isinstance(result, Refusal):
            turn_away(result)
        body = orjson.dumps({"ticket": result, "expires_in": round(TICKET_S)})
        headers = {"Cache-Control": "no-store", **self._allow(request)}
        return web.Response(status=201, body=body, content_type="application/json", headers=headers)

    async def preflight(self, request: web.Request) -> web.Response:
        """Tell a browser whether a page of another host may ask."""
        headers = self._allow(request)
        if not headers:
            raise web.HTTPForbidden(text="pages of this origin may not ask\n")
        headers["Access-Control-Allow-Methods"] = "POST"
        headers["Access-Control-Allow-Headers"] = "Authorization"
        headers["Access-Control-Max-Age"] = str(_PREFLIGHT_S)
        return web.Response(status=204, headers=headers)

    def _allow(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get("Origin")
        if origin is None or not self._origins or not allowed(origin, "", False, self._origins):
            return {}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
