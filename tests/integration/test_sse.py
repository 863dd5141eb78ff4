"""Streams of Server-Sent Events over real sockets, with a scripted feed behind them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest
import uvloop
from aiohttp import web

from gateway.admission.authority import Reason
from gateway.admission.entitlement import Entitlement
from gateway.admission.origin import parse_origins
from gateway.admission.refusal import Handshake
from gateway.admission.revoked import Revoked
from gateway.closing import GONE, INTERNAL, POLICY, RESTART, TOKEN_EXPIRED, TOKEN_REFUSED, TOO_SLOW, Side
from gateway.commands import List, Subscribe, SubscribeCandles, Unsubscribe, UnsubscribeCandles
from gateway.counters import Counters, Eviction
from gateway.frames import Accepted, Gap, GapReason, Rejection, Subscribed, Unsubscribed
from gateway.outbox import Outbox
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires.cors import Cors
from gateway.wires.native.encode import encode
from gateway.wires.sse import eventid
from gateway.wires.sse.desk import StreamDesk
from gateway.wires.sse.figures import Figures
from gateway.wires.sse.opening import Resumed
from gateway.wires.sse.speech import Speech
from gateway.wires.sse.stream import EventStream
from services.market.position import Position
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.admission import Known, ScriptedAuthority, reception
from tests.eventually import eventually
from tests.integration.test_gateway_session import Follower, ScriptedFeed

AAPL, MSFT = Symbol("AAPL"), Symbol("MSFT")
ALICE: Final = Entitlement(subject="alice", names=frozenset({AAPL}), max_symbols=1)
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
BROWSER: Final = {"Accept": "text/event-stream"}


class Listening(Follower):
    """A client of the scripted feed, as streams look at it."""

    def __init__(self, outbox: Outbox, max_symbols: int, entitlement: Entitlement) -> None:
        super().__init__(outbox, max_symbols, entitlement)
        self.settled = True

    @property
    def names(self) -> set[Symbol]:
        """What it follows."""
        return self.symbols

    def stands(self, symbol: Symbol, position: Position) -> bool:
        """Whether it goes on."""
        assert position.epoch
        return symbol in self.symbols and self.settled


class Feed(ScriptedFeed):
    """A scripted feed that may refuse symbols, or wait before it says how a resume went."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions)
        self.rejected: dict[Symbol, Rejection] = {}
        self.settled = self.answers = True

    def join(self, outbox: Outbox, *, max_symbols: int, entitlement: Entitlement) -> Listening:
        """Take a client in."""
        client = Listening(outbox, max_symbols, entitlement)
        client.settled = self.settled
        self.clients.append(client)
        return client

    def obey(
        self, client: Follower, command: Subscribe | SubscribeCandles | Unsubscribe | UnsubscribeCandles | List
    ) -> None:
        """Answer."""
        assert isinstance(command, Subscribe)
        self.commands.append(command)
        if self.answers:
            rejected = {s: why for s, why in self.rejected.items() if s in command.symbols}
            accepted = [s for s in command.symbols if s not in rejected]
            client.symbols.update(accepted)
            places = {s: Accepted(command.resume.get(s, Position(1, self.seq)), None) for s in accepted}
            client.outbox.say(Subscribed(command.id, places, rejected, 0))


class Gateway:
    """A server with the scripted feed."""

    def __init__(self, settings: GatewaySettings, heartbeat_s: float, known: Known | None) -> None:
        loop = asyncio.get_running_loop()
        self.counters, self.figures, self.revoked = Counters(), Figures(), Revoked()
        self.sessions = Sessions(
            SystemClock(),
            self.counters,
            max_connections=settings.max_connections,
            stuck_s=settings.stuck_s,
            heartbeat_s=heartbeat_s,
            flush_s=0.0,
            encode=encode,
            later=loop.call_later,
            soon=loop.call_soon,
        )
        self.feed = Feed(self.sessions)
        welcoming = reception(settings, self.sessions, ScriptedAuthority(known), revoked=self.revoked)
        desk = StreamDesk(
            settings, self.feed, self.sessions, welcoming, figures=self.figures, later=loop.call_later
        )
        stream = EventStream(desk, (), Cors(parse_origins(settings.origins)))
        application = web.Application()
        application.router.add_get("/v1/sse", stream.serve, allow_head=False)
        application.router.add_options("/v1/sse", stream.preflight)
        application.router.add_route("*", "/v1/sse", stream.other)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        self.port = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}/v1/sse"


@contextlib.asynccontextmanager
async def gateway(
    *, heartbeat_s: float = 15.0, known: Known | None = None, **given: Any
) -> AsyncIterator[Gateway]:
    """Serve on a free port; *known*: the tokens that let clients in."""
    server = Gateway(GatewaySettings(**given), heartbeat_s, known)
    await server.runner.setup()
    site = web.TCPSite(server.runner, "127.0.0.1", 0)
    await site.start()
    server.port = site.port
    try:
        yield server
    finally:
        await server.runner.cleanup()


class Reader:
    """An open stream, as blocks of lines."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer, self.headers = answer, answer.headers

    async def block(self) -> dict[str, str]:
        """Return the next block's fields; comments under an empty name."""
        async with asyncio.timeout(5):
            block = (await self.answer.content.readuntil(b"\n\n")).decode()
        fields = (line.partition(":") for line in block.splitlines() if line)
        return {name: value.removeprefix(" ") for name, _, value in fields}

    async def event(self, name: str) -> dict[str, str]:
        """Return the next event, which is a *name*."""
        while "data" not in (fields := await self.block()):
            pass
        assert fields["event"] == name, fields
        return fields

    async def rest(self) -> str:
        """Return what comes before the end, which must be a clean one."""
        async with asyncio.timeout(5):
            return (await self.answer.content.read()).decode()


@contextlib.asynccontextmanager
async def listening(
    server: Gateway, symbols: str = "AAPL", headers: dict[str, str] | None = None, **parameters: str
) -> AsyncIterator[Reader]:
    """Open a stream."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(server.url, params={"symbols": symbols, **parameters}, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        yield Reader(answer)


async def refused(server: Gateway, headers: dict[str, str] | None = None, **parameters: str) -> tuple[int, Any]:
    """Return status and problem of a request that must not succeed."""
    async with aiohttp.ClientSession() as http, http.get(server.url, params=parameters, headers=headers) as answer:
        assert answer.content_type == "application/problem+json"
        return answer.status, await answer.json(content_type=None)


class SlowReader:
    """A client that reads only when told to, over a socket with a small receive buffer."""

    def __init__(self) -> None:
        self.socket = sockets.socket()
        self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
        self.socket.setblocking(False)
        self.got = b""

    async def connect(self, server: Gateway) -> None:
        """Ask for a stream and read until its first event has begun."""
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", server.port))
        await loop.sock_sendall(self.socket, b"GET /v1/sse?symbols=AAPL HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"event: subscribed" not in self.got:
            self.got += await loop.sock_recv(self.socket, 4096)

    async def read_on(self) -> None:
        """Read until the connection ends."""
        while piece := await asyncio.get_running_loop().sock_recv(self.socket, 65536):
            self.got += piece


@contextlib.asynccontextmanager
async def slow_reader(server: Gateway) -> AsyncIterator[SlowReader]:
    """Connect one."""
    client = SlowReader()
    try:
        await client.connect(server)
        yield client
    finally:
        client.socket.close()


# --------------------------------------------------------------------------------------------- what is said


async def test_head_and_first_words() -> None:
    """The head is what browsers and proxies need; then come the time to wait, and where the client stands."""
    async with gateway() as server, listening(server) as stream:
        named = ("Content-Type", "Cache-Control", "X-Accel-Buffering", "Tickwire-Resumed", "Connection")
        assert [stream.headers[name] for name in named] == ["text/event-stream", "no-store", "no", "none", "close"]
        assert stream.headers["Transfer-Encoding"] == "chunked"
        assert 1_000 <= int((await stream.block())["retry"]) <= 3_000
        assert (await stream.event("subscribed"))["id"] == eventid.encode((AAPL,), {AAPL: Position(1, 0)}).decode()
        assert (server.figures.connections, server.counters.handshakes[Handshake.OK]) == (1, 1)


async def test_ticks_gather() -> None:
    """A stream is written to at most ten times a second; what comes between is one event with the last id."""
    async with gateway() as server, listening(server) as stream:
        await stream.event("subscribed")
        began, writes = time.monotonic(), server.figures.writes
        while time.monotonic() < began + 1:
            server.feed.tick(5)
            await asyncio.sleep(0.005)
        written = server.figures.writes - writes
        seqs: list[int] = []
        while not seqs or seqs[-1] < server.feed.seq:
            event = await stream.event("ticks")
            found = [tick["seq"] for tick in json.loads(event["data"])]
            assert event["id"] == eventid.encode((AAPL,), {AAPL: Position(1, found[-1])}).decode()
            seqs += found
        assert seqs == list(range(1, server.feed.seq + 1))
        assert 3 <= written <= 10
        assert server.counters.ticks == server.feed.seq


async def test_keep_alive() -> None:
    """A silence is broken by a comment, which moves no id."""
    async with gateway(heartbeat_s=0.3) as server, listening(server) as stream:
        await stream.event("subscribed")
        assert await stream.block() == {"": "keep-alive"}
        assert server.figures.events == 1


async def test_http_1_0() -> None:
    """For HTTP/1.0, which nginx speaks to servers by default, the end of the connection is the end."""
    async with gateway() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /v1/sse?symbols=AAPL HTTP/1.0\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.0 200 ")
        assert b"chunked" not in head
        assert (await reader.readline()).startswith(b"retry: ")
        await server.sessions.drain(1.0)
        assert (await reader.read()).rstrip().endswith(b'"reason":"restart"}')
        writer.close()


# --------------------------------------------------------------------------------------------------- resume


async def test_resume() -> None:
    """An id takes each symbol up where it stood; a browser's header is stronger than what its URL repeats."""
    first = eventid.encode((AAPL, MSFT), {AAPL: Position(7, 3)}).decode()
    later = eventid.encode((AAPL, MSFT), {AAPL: Position(7, 9), MSFT: Position(8, 1)}).decode()
    async with gateway() as server:
        for headers, expected in (({}, {AAPL: (7, 3)}), ({"Last-Event-ID": later}, {AAPL: (7, 9), MSFT: (8, 1)})):
            async with listening(server, "MSFT,AAPL", headers, last_event_id=first) as stream:
                assert stream.headers["Tickwire-Resumed"] == "all"
                command = server.feed.commands[-1]
                assert isinstance(command, Subscribe)
                assert command.resume == expected
                assert (await stream.event("subscribed"))["id"] == (later if headers else "") or not headers
        assert server.figures.resumed[Resumed.ALL] == 2


@pytest.mark.parametrize("text", ["1", "rubbish", "1AAAAAAA", eventid.encode((MSFT,), {}).decode()])
async def test_an_id_that_is_none(text: str) -> None:
    """An id of another request, or of nobody's, counts as none: the stream begins with snapshots."""
    async with gateway() as server, listening(server, headers={"Last-Event-ID": text}) as stream:
        assert stream.headers["Tickwire-Resumed"] == "none"
        command = server.feed.commands[-1]
        assert isinstance(command, Subscribe)
        assert command.resume == {}


async def test_a_gap_is_in_the_head() -> None:
    """The head waits for what becomes of the position, and says `gap` where ticks are missing."""
    text = eventid.encode((AAPL,), {AAPL: Position(1, 3)}).decode()
    async with gateway() as server:
        server.feed.settled = False

        async def lose() -> None:
            await eventually(lambda: server.feed.clients)
            server.feed.clients[0].outbox.say(Gap(AAPL, 1, 4, 9, GapReason.LOST))

        losing = asyncio.create_task(lose())
        async with listening(server, headers={"Last-Event-ID": text}) as stream:
            assert stream.headers["Tickwire-Resumed"] == "gap"
            await stream.event("subscribed")
            assert (await stream.event("gap"))["id"] == eventid.encode((AAPL,), {AAPL: Position(1, 9)}).decode()
        await losing
        assert server.figures.late == 0


async def test_the_head_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known in time is called `gap`, and counted."""
    monkeypatch.setattr("gateway.wires.sse.opening.OPENING_S", 0.1)
    text = eventid.encode((AAPL,), {AAPL: Position(1, 3)}).decode()
    async with gateway() as server:
        server.feed.settled = False
        async with listening(server, headers={"Last-Event-ID": text}) as stream:
            assert stream.headers["Tickwire-Resumed"] == "gap"
        server.feed.answers = False
        async with listening(server) as stream:
            assert stream.headers["Tickwire-Resumed"] == "none"
        assert server.figures.late == 2


# ------------------------------------------------------------------------------------------------ what is not had


async def test_rejected_symbols() -> None:
    """A symbol that is not had is named by an error, and the others flow; if none is had there is no stream."""
    async with gateway() as server:
        server.feed.rejected = {MSFT: Rejection.UNKNOWN_SYMBOL}
        async with listening(server, "AAPL,MSFT") as stream:
            await stream.event("subscribed")
            assert '"code":"unknown_symbol"' in (await stream.event("error"))["data"]
            server.feed.tick()
            await stream.event("ticks")
        status, problem = await refused(server, symbols="MSFT")
        assert (status, problem["code"], problem["symbols"]) == (404, "unknown_symbol", ["MSFT"])
        server.feed.rejected = {MSFT: Rejection.NOT_ENTITLED}
        assert (await refused(server, symbols="MSFT"))[0] == 403
        await eventually(lambda: not server.feed.clients and not len(server.sessions))


async def test_what_the_feed_does_not_give_is_asked_for_again() -> None:
    """A client of this wire cannot subscribe again, so the gateway does, at the position where it stood."""
    text = eventid.encode((AAPL, MSFT), {MSFT: Position(3, 5)}).decode()
    async with gateway() as server:
        server.feed.rejected = {MSFT: Rejection.FEED_UNAVAILABLE}
        async with listening(server, "AAPL,MSFT", {"Last-Event-ID": text}) as stream:
            await stream.event("subscribed")
            server.feed.rejected = {}
            await stream.event("error")
            await stream.event("subscribed")
            command = server.feed.commands[-1]
            assert isinstance(command, Subscribe)
            assert (command.symbols, command.resume) == ((MSFT,), {MSFT: Position(3, 5)})
            assert server.figures.put_off >= 1


async def test_the_last_symbol_goes() -> None:
    """Where nothing is left to follow the stream ends; who comes back learns why by a status."""
    async with gateway() as server, listening(server) as stream:
        await stream.event("subscribed")
        server.feed.clients[0].symbols.clear()
        server.feed.clients[0].outbox.say(Unsubscribed(None, (AAPL,), "delisted"))
        assert '"delisted"' in await stream.rest()
        assert server.counters.closes[POLICY, Side.SERVER] == 1


# ------------------------------------------------------------------------------------------------ who is let in


async def test_tokens() -> None:
    """A token comes in `Authorization` only; what it names bounds the stream."""
    async with gateway(known={"alice": ALICE, "old": Reason.EXPIRED}) as server:
        bearer = {"Authorization": "Bearer alice"}
        async with listening(server, headers=bearer):
            assert server.feed.clients[0].entitlement is ALICE
        assert (await refused(server, symbols="AAPL"))[1]["code"] == "no_token"
        old = await refused(server, {"Authorization": "Bearer old"}, symbols="AAPL")
        assert (old[0], old[1]["code"]) == (401, "token_expired")
        assert (await refused(server, symbols="AAPL", jwt="alice"))[1]["code"] == "token_in_url"
        assert (await refused(server, bearer, symbols="AAPL,MSFT"))[1]["code"] == "too_many_symbols"
        await eventually(lambda: not len(server.sessions))


async def test_a_refusal_that_a_browser_survives() -> None:
    """EventSource gives up for good at 503: who asks for events by name is told in events when to come back."""
    async with gateway(max_connections=1) as server, listening(server):
        status, problem = await refused(server, symbols="AAPL")
        assert (status, problem["code"]) == (503, "busy")
        async with listening(server, headers=BROWSER) as stream:
            assert "Tickwire-Resumed" not in stream.headers
            said = await stream.rest()
            assert 5_000 <= int(said.split()[1]) <= 15_000
            assert '"code":"busy"' in said
        assert server.counters.handshakes[Handshake.OVERLOADED] == 2


async def test_pages_of_other_hosts() -> None:
    """A page of a listed origin may read a stream and its header; one of another origin gets none."""
    async with gateway(origins=("https://a.example",)) as server, aiohttp.ClientSession() as http:
        async with listening(server, headers={"Origin": "https://a.example"}) as stream:
            assert stream.headers["Access-Control-Allow-Origin"] == "https://a.example"
            assert "Tickwire-Resumed" in stream.headers["Access-Control-Expose-Headers"]
        assert (await refused(server, {"Origin": "https://b.example"}, symbols="AAPL"))[0] == 403
        for origin, status in (("https://a.example", 204), ("https://b.example", 403)):
            async with http.options(server.url, headers={"Origin": origin}) as answer:
                assert answer.status == status
        for method in ("HEAD", "POST"):
            async with http.request(method, f"{server.url}?symbols=AAPL") as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET, OPTIONS")


# --------------------------------------------------------------------------------------------- slow, and ended


async def test_slow_reader_conflates_and_recovers() -> None:
    """A client that stops reading is slow once, holds a bounded amount, and is drained when it reads on."""
    async with gateway() as server, slow_reader(server) as client:
        follower = server.feed.clients[0]
        while not follower.slow:  # a few at a time: what comes before slow is found out is not conflated
            server.feed.tick(10)
            await asyncio.sleep(0.001)
        for _ in range(50):
            server.feed.tick(100)
        assert server.sessions.unsent()[1] < 1024 * 1024
        assert server.figures.bytes < 2 * 1024 * 1024
        reading = asyncio.create_task(client.read_on())
        await eventually(lambda: follower.drained)
        server.feed.tick()
        await eventually(lambda: f'"seq":{server.feed.seq},'.encode() in client.got)
        assert (follower.slowed, server.counters.slow) == (1, 1)
        reading.cancel()


async def test_stuck_reader_is_evicted() -> None:
    """A client that takes not one byte for the allowed time is torn down, and its socket is gone at once."""
    async with gateway(stuck_s=0.6) as server, slow_reader(server) as client:
        follower = server.feed.clients[0]
        while not follower.slow:
            server.feed.tick(100)
            await asyncio.sleep(0.001)
        await eventually(lambda: server.counters.evictions[Eviction.STUCK] == 1)
        await eventually(lambda: len(server.sessions) == 0)
        assert server.counters.closes[TOO_SLOW, Side.SERVER] == 1
        assert server.figures.connections == 0
        with pytest.raises(ConnectionResetError):
            await client.read_on()


async def test_who_has_gone_is_forgotten() -> None:
    """A client that leaves, while its stream is opened or later, leaves nothing behind."""
    async with gateway() as server:
        async with listening(server):
            assert len(server.sessions) == 1
        await eventually(lambda: server.counters.closes[GONE, Side.CLIENT] == 1)
        server.feed.answers = False
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /v1/sse?symbols=AAPL HTTP/1.1\r\nHost: x\r\n\r\n")
        await eventually(lambda: server.feed.clients)
        writer.transport.abort()
        await eventually(lambda: not server.feed.clients and not len(server.sessions))
        assert server.figures.connections == 0


async def test_who_talks_is_ended() -> None:
    """There is nothing to say on this wire: a client that sends 8 KiB and more is closed."""
    async with gateway() as server, slow_reader(server) as client:
        await asyncio.get_running_loop().sock_sendall(client.socket, bytes(9_000))
        await eventually(lambda: server.counters.closes[POLICY, Side.SERVER] == 1)


async def test_token_expires() -> None:
    """A token's end is said by an error, and the body ends as HTTP has it."""
    alice = Entitlement(subject="alice", names=frozenset({AAPL}), expires=time.time() + 0.3)
    async with (
        gateway(known={"alice": alice}, jwt_leeway_s=0) as server,
        listening(server, headers={"Authorization": "Bearer alice"}) as stream,
    ):
        await stream.event("subscribed")
        assert '"code":"token_expired"' in await stream.rest()
        assert server.counters.closes[TOKEN_EXPIRED, Side.SERVER] == 1


async def test_token_called_back() -> None:
    """A revocation ends a stream, with an error that says so."""
    async with (
        gateway(known={"alice": ALICE}) as server,
        listening(server, headers={"Authorization": "Bearer alice"}) as stream,
    ):
        await stream.event("subscribed")
        for session in tuple(server.sessions):
            session.end(TOKEN_REFUSED)
        assert '"code":"token_refused"' in await stream.rest()


async def test_age() -> None:
    """A stream that has had its time is told to come back, and how soon."""
    async with gateway(age_s=1) as server, listening(server) as stream:
        await stream.event("subscribed")
        reconnect = await stream.event("reconnect")
        assert reconnect["retry"] == "250"
        assert '"reason":"age"' in reconnect["data"]
        assert await stream.rest() == ""
        assert server.counters.closes[RESTART, Side.SERVER] == 1


async def test_drain() -> None:
    """A drain tells each stream when to come back, and ends it cleanly; who comes meanwhile is told, too."""
    async with gateway() as server, listening(server) as one, listening(server) as two:
        server.feed.answers = False
        opening = asyncio.create_task(refused(server, symbols="AAPL"))
        await eventually(lambda: len(server.sessions) == 3)
        draining = asyncio.create_task(server.sessions.drain(2.0))
        for stream in (one, two):
            await stream.event("subscribed")
            reconnect = await stream.event("reconnect")
            assert 250 <= int(reconnect["retry"]) <= 2_000
            assert await stream.rest() == ""
        assert (await opening)[0] == 503
        await draining
        assert server.counters.evictions[Eviction.DRAIN] == 0
        async with listening(server, headers=BROWSER) as late:
            assert '"code":"busy"' in await late.rest()


async def test_a_defect_ends_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody expected ends that stream, with an event that says so, and leaves the others alone."""
    async with gateway() as server, listening(server) as one, listening(server, "AAPL,MSFT") as two:
        for stream in (one, two):
            await stream.event("subscribed")
        sound = Speech.encode

        def broken(speech: Speech, *given: Any) -> list[bytes]:
            if len(speech.places.symbols) == 1:
                raise ZeroDivisionError
            return sound(speech, *given)

        monkeypatch.setattr(Speech, "encode", broken)
        server.feed.tick()
        assert '"code":"internal"' in await one.rest()
        await two.event("ticks")
        assert server.counters.closes[INTERNAL, Side.SERVER] == 1
