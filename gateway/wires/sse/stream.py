"""`GET /v1/sse`: a stream of Server-Sent Events, from its request to the first byte of its answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.admission import refusal
from gateway.admission.authority import TokenRefused
from gateway.admission.doorkeeper import Caller, Seat
from gateway.admission.refusal import Handshake, Refusal
from gateway.closing import RESTART, TOKEN_EXPIRED, TOKEN_REFUSED, Close, Side
from gateway.wires.caller import Networks, leaks, read_caller, shown
from gateway.wires.cors import Cors
from gateway.wires.handover import take_over
from gateway.wires.problem import METHOD, TOKEN_IN_URL, Problem, refused
from gateway.wires.sse import speech, wish
from gateway.wires.sse.desk import StreamDesk
from gateway.wires.sse.listener import Listener, retry_ms
from gateway.wires.sse.opening import Resumed
from gateway.wires.sse.wish import STREAM_SYMBOLS, Wish

TYPE: Final = "text/event-stream"
HEADERS: Final = {
    "Content-Type": TYPE,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx, and those who took the name over from it
}
_ENDED: Final = {
    RESTART: refusal.DRAINING,
    TOKEN_EXPIRED: refusal.EXPIRED,
    TOKEN_REFUSED: refusal.REFUSED,
}
"""What is said where a connection was ended before its answer began."""


class Answer(web.StreamResponse):
    """The head of a stream.  Whoever takes the transport writes what follows, and the end."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""
        del data


class EventStream:
    """The handler: admits, subscribes, waits for what the head can promise; the rest is a `Listener`'s."""

    def __init__(self, desk: StreamDesk, trusted: Networks, cors: Cors) -> None:
        self._desk, self._trusted, self._cors = desk, trusted, cors
        self._reception, self._counters = desk.reception, desk.counters
        self._most = min(STREAM_SYMBOLS, desk.settings.max_symbols)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one stream."""
        try:
            return await self._serve(request)
        except Problem as problem:
            if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._counters.handshakes[Handshake.BAD] += 1
            return self._answer(request, problem)

    async def preflight(self, request: web.Request) -> web.Response:
        """Tell a browser whether a page of another host may ask with a header of its own."""
        headers = self._cors.preflight(request.headers.get("Origin"), "GET")
        return web.Response(status=403) if headers is None else web.Response(status=204, headers=headers)

    async def other(self, request: web.Request) -> web.Response:
        """Refuse a method that makes no sense here; HEAD, too: there is no telling what a stream would say."""
        detail = f"{request.method} makes no stream."
        return self._answer(request, Problem(METHOD, detail, methods=("GET", "OPTIONS")))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        wanted = self._wanted(request)
        caller = read_caller(request, self._trusted)
        result = await self._received(request, caller)
        if isinstance(result, Refusal):
            return self._turn_away(request, result)
        most = result.entitlement.max_symbols if result.entitlement is not None else None
        if most is not None and len(wanted.symbols) > most:
            result.leave()
            raise wish.too_many(len(wanted.symbols), most)
        return await self._admit(request, caller, result, wanted)

    def _wanted(self, request: web.Request) -> Wish:
        leaked = leaks(request)
        if leaked is not None:
            detail = f"{leaked} stands in the URL, where logs keep it: a token comes in Authorization."
            raise Problem(TOKEN_IN_URL, detail, parameter=leaked)
        query = list(request.query.items())
        return wish.read(query, request.headers.get("Last-Event-ID"), most=self._most)

    async def _received(self, request: web.Request, caller: Caller) -> Seat | Refusal:
        try:
            what = shown(request)
        except TokenRefused as error:
            return self._reception.refused(caller, error)
        return await self._reception.receive(caller, what)

    async def _admit(self, request: web.Request, caller: Caller, seat: Seat, wanted: Wish) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            seat.leave()
            raise ConnectionResetError("the client left while its token was checked")
        listener = Listener(self._desk, transport, caller, seat, wanted, chunked=_is_11(request))
        try:
            found = await listener.opened()
            if isinstance(found, Resumed):
                answer = await self._head(request, found)
                self._begin(request, listener, found)
                return answer
        except BaseException:
            listener.dismiss()
            raise
        listener.dismiss()
        if isinstance(found, Problem):
            raise found
        return self._ended(request, caller, found)

    def _begin(self, request: web.Request, listener: Listener, resumed: Resumed) -> None:
        transport, _ = take_over(request)
        try:
            listener.begin(transport, resumed)
        except BaseException:
            transport.abort()  # nobody else knows of it any more
            raise

    async def _head(self, request: web.Request, resumed: Resumed) -> Answer:
        """Write the head of a stream.

        HTTP/1.1 gets chunks, so that a client can tell an end from a cut; the connection is closed behind them.
        For HTTP/1.0, which proxies like nginx speak by default, its end is the end.
        """
        headers = {
            **HEADERS,
            "Tickwire-Resumed": resumed.value,
            **self._cors.headers(request.headers.get("Origin")),
        }
        answer = Answer(headers=headers)
        answer.force_close()
        if _is_11(request):
            answer.enable_chunked_encoding()
        await answer.prepare(request)
        return answer

    def _ended(self, request: web.Request, caller: Caller, close: Close) -> web.StreamResponse:
        why = _ENDED.get(close)
        if why is None:
            raise ConnectionResetError("the client left while its stream was opened")
        self._counters.closes[close, Side.SERVER] += 1
        return self._turn_away(request, self._reception.turned_away(caller, why))

    def _turn_away(self, request: web.Request, why: Refusal) -> web.StreamResponse:
        """Refuse a client.

        EventSource gives up for good at any status but 200.  So where coming back makes sense, one that asks for
        an event stream by name gets one, of an error and when to come back; others get the status.
        """
        problem = refused(why)
        if why.retry_after_s is None or TYPE not in request.headers.get("Accept", ""):
            return self._answer(request, problem)
        words = speech.retry(why.retry_after_s * retry_ms()) + speech.error(problem.kind.code, problem.detail)
        headers = {**HEADERS, **self._cors.headers(request.headers.get("Origin"))}
        answer = web.Response(body=words, headers=headers)
        answer.force_close()
        return answer

    def _answer(self, request: web.Request, problem: Problem) -> web.Response:
        headers = {**problem.headers, **self._cors.headers(request.headers.get("Origin"))}
        return web.Response(status=problem.status, body=problem.body(), headers=headers)


def _is_11(request: web.Request) -> bool:
    return tuple(request.version) >= (1, 1)
