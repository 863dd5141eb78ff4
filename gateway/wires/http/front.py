"""What every request passes on its way in, and every answer on its way out: aiohttp's part of the HTTP wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import web

from gateway.admission.authority import TokenRefused
from gateway.admission.entitlement import Entitlement
from gateway.admission.reception import Reception
from gateway.admission.refusal import Refusal
from gateway.wires.caller import Networks, leaks, read_caller, shown
from gateway.wires.cors import Cors
from gateway.wires.http import gate
from gateway.wires.http.accept import accepted_form, takes_gzip
from gateway.wires.http.answer import GZIP_BYTES, Content, Pressed, Where, headers, place, press
from gateway.wires.http.figures import Figures, Route
from gateway.wires.http.pace import Pace
from gateway.wires.http.query import Form, Parameters
from gateway.wires.problem import ORIGIN, Problem, refused
from services.runtime.clock import Clock

THREADS: Final = 2
"""Answers that are compressed at once in threads; the next ones wait, 10 ms each."""


class Visit(NamedTuple):
    """A request that was let in."""

    parameters: Parameters
    form: Form
    symbol: str
    """From the path; empty: it names none."""
    entitlement: Entitlement
    client: str
    """Whom what it asks is counted for."""


Work = Callable[[Visit], Awaitable[Content]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Front:
    """Lets requests in, and sends answers out.  *pace*: of requests, per address."""

    def __init__(
        self,
        reception: Reception,
        trusted: Networks,
        origins: frozenset[str],
        *,
        clock: Clock,
        figures: Figures,
        pace: Pace,
    ) -> None:
        self._reception, self._trusted, self._cors = reception, trusted, Cors(origins)
        self._clock, self._figures, self._pace = clock, figures, pace
        self._threads = asyncio.Semaphore(THREADS)
        self._sending: set[asyncio.Transport] = set()

    def handler(self, route: Route, known: Sequence[str] | None, work: Work) -> Handler:
        """Return what serves *route*; *work* makes its content, or raises a `Problem`.

        *known* are its parameters; None: it looks at none.
        """

        async def serve(request: web.Request) -> web.StreamResponse:
            began, status = self._clock.monotonic(), int(HTTPStatus.INTERNAL_SERVER_ERROR)
            self._figures.under_way += 1
            try:
                answer = await self._answer(request, known, work)
                status = answer.status
                return answer
            finally:
                self._figures.under_way -= 1
                self._figures.answered(route, status, self._clock.monotonic() - began)

        return serve

    async def _answer(self, request: web.Request, known: Sequence[str] | None, work: Work) -> web.Response:
        try:
            gate.check(request.method, leaks(request), self._figures.under_way, self._unsent())
            if request.method == "OPTIONS":
                return self._preflight(request)
            content = await work(await self._admit(request, known))
            return self._made(request, content, await self._press(request, content))
        except Problem as problem:
            return self._problem(request, problem)

    async def _admit(self, request: web.Request, known: Sequence[str] | None) -> Visit:
        caller, now = read_caller(request, self._trusted), self._clock.monotonic()
        wait = self._pace.wait(caller.key, now)
        gate.keep_pace(wait)
        self._pace.spend(caller.key, now)
        try:
            found = await self._reception.visit(caller, shown(request))
        except TokenRefused as error:
            found = self._reception.token_refused(caller, error)
        if isinstance(found, Refusal):
            raise refused(found)
        parameters = Parameters([] if known is None else list(request.query.items()), known or ())
        form = parameters.form or accepted_form(",".join(request.headers.getall("Accept", ())))
        client = gate.client_of(caller.key, found)
        return Visit(parameters, form, request.match_info.get("symbol", ""), found, client)

    async def _press(self, request: web.Request, content: Content) -> Pressed:
        takes = takes_gzip(",".join(request.headers.getall("Accept-Encoding", ())))
        gzip = takes and content.size >= GZIP_BYTES
        known = request.headers.get("If-None-Match")
        where = place(content.size)
        self._figures.made[where] += 1
        if where is Where.LOOP:
            return press(content.pieces, gzip, known)
        async with self._threads:
            self._figures.pressing += 1
            try:
                return await asyncio.to_thread(press, content.pieces, gzip, known)
            finally:
                self._figures.pressing -= 1

    def _made(self, request: web.Request, content: Content, pressed: Pressed) -> web.Response:
        cors = self._cors.headers(request.headers.get("Origin"))
        said = headers(content, pressed, path=request.path, private=self._reception.required, shared=cors)
        if pressed.body is None:
            self._figures.unchanged += 1
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=said)
        self._figures.bytes += len(pressed.body)
        if request.transport is not None:
            self._sending.add(request.transport)
        return web.Response(body=pressed.body, headers=said)

    def _problem(self, request: web.Request, problem: Problem) -> web.Response:
        self._figures.refused += problem.status == HTTPStatus.TOO_MANY_REQUESTS
        cors = self._cors.headers(request.headers.get("Origin"))
        return web.Response(status=problem.status, body=problem.body(), headers={**cors, **problem.headers})

    def _preflight(self, request: web.Request) -> web.Response:
        allowed = self._cors.preflight(request.headers.get("Origin"))
        if allowed is None:
            raise Problem(ORIGIN, "Pages of this origin may not ask.")
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=allowed)

    def _unsent(self) -> int:
        """Return the bytes of answers that clients have not taken yet."""
        waiting = {transport: transport.get_write_buffer_size() for transport in self._sending}
        self._sending = {transport for transport, size in waiting.items() if size and not transport.is_closing()}
        self._figures.unsent = sum(waiting.values())
        return self._figures.unsent
