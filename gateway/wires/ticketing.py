"""`POST /v1/ticket`: a ticket that opens one connection within 30 s, for who cannot send a header with it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from gateway.admission.authority import TokenRefused
from gateway.admission.reception import Reception
from gateway.admission.refusal import Refusal
from gateway.admission.ticket import TicketTooLong
from gateway.wires.caller import Networks, read_caller, shown
from gateway.wires.cors import Cors
from gateway.wires.problem import NOT_FOUND, ORIGIN, TICKET_TOO_LONG, Problem, check_method, refused
from services.broker.tickets import TICKET_S

METHODS: Final = ("POST", "OPTIONS")


class Ticketing:
    """The handler.  *origins* are the pages of other hosts that may ask, by the rules of the Fetch standard."""

    def __init__(self, reception: Reception, trusted: Networks, origins: frozenset[str]) -> None:
        self._reception, self._trusted, self._cors = reception, trusted, Cors(origins)

    async def serve(self, request: web.Request) -> web.Response:
        """Give a ticket to who shows a token in `Authorization`, and tell a browser whether a page may ask."""
        cors = self._cors.headers(request.headers.get("Origin"))
        try:
            check_method(request.method, METHODS)
            if request.method == "OPTIONS":
                return self._preflight(request)
            body = orjson.dumps({"ticket": await self._ticket(request), "expires_in": round(TICKET_S)})
        except Problem as problem:
            return _answer(problem, cors)
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store", **cors}
        return web.Response(status=HTTPStatus.CREATED, body=body, headers=headers)

    def _preflight(self, request: web.Request) -> web.Response:
        headers = self._cors.preflight(request.headers.get("Origin"), "POST")
        if headers is None:
            raise Problem(ORIGIN, "Pages of this origin may not ask.")
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)

    async def _ticket(self, request: web.Request) -> str:
        if not self._reception.tickets:
            raise Problem(NOT_FOUND, "There are no tickets here.")
        caller = read_caller(request, self._trusted)
        try:
            result = await self._reception.issue(caller, shown(request))
        except TokenRefused as error:
            result = self._reception.refused(caller, error)
        except TicketTooLong as error:
            raise Problem(TICKET_TOO_LONG, f"{error}.") from None
        if isinstance(result, Refusal):
            raise refused(result)
        return result


def _answer(problem: Problem, cors: dict[str, str]) -> web.Response:
    return web.Response(status=problem.status, body=problem.body(), headers={**cors, **problem.headers})
