"""One WebSocket client's connection over real sockets, with a scripted feed behind it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket as sockets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import WSMsgType, web

from gateway.admission.entitlement import Entitlement
from gateway.admission.refusal import Handshake
from gateway.admission.revoked import Revoked
from gateway.closing import GONE, INTERNAL, NORMAL, RESTART, TOO_BIG, TOO_MANY_COMMANDS, TOO_SLOW, Side
from gateway.commands import EVERYTHING, FeedCommand, List, Subscribe, Unsubscribe
from gateway.counters import Counters, Eviction, Flood, Stage
from gateway.frames import Accepted, Status, Subscribed, Subscriptions, Unsubscribed
from gateway.outbox import Outbox
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires.inbound import Inbound
from gateway.wires.native.encode import encode
from gateway.wires.native.stream import Stream
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import TickMessage, encode_tick
from services.runtime.clock import SystemClock
from tests.admission import Known, ScriptedAuthority, reception
from tests.eventually import eventually

AAPL = Symbol("AAPL")
CLOSE, PING, PONG = 0x88, 0x89, 0x8A
"""First bytes of frames from the server."""


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
"""The two kinds of transport differ in what they raise and what they buffer."""


class Follower:
    """A client of the scripted feed."""

    def __init__(self, outbox: Outbox, max_symbols: int, entitlement: Entitlement) -> None:
        self.outbox, self.max_symbols, self.entitlement = outbox, max_symbols, entitlement
        self.symbols: set[Symbol] = set()
        self.slow = False
        self.slowed = self.drained = 0

    @property
    def subscriptions(self) -> int:
        """How many symbols it follows."""
        return len(self.symbols)


class ScriptedFeed:
    """A feed whose ticks the test makes; a slow client gets nothing until it has drained."""

    def __init__(self, sessions: Sessions) -> None:
        self.ready = True
        self.broken = False
        self.status: dict[str, Status] = {}
        self.clients: list[Follower] = []
        self.commands: list[FeedCommand] = []
        self.left = asyncio.Event()
        self.seq = 0
        self._sessions = sessions

    def join(self, outbox: Outbox, *, max_symbols: int, entitlement: Entitlement) -> Follower:
        """Take a client in."""
        follower = Follower(outbox, max_symbols, entitlement)
        self.clients.append(follower)
        return follower

    def entitle(self, client: Follower, entitlement: Entitlement) -> None:
        """Note what the client may do."""
        client.entitlement = entitlement

    def leave(self, client: Follower) -> None:
        """Let a client go."""
        self.clients.remove(client)
        self.left.set()

    def obey(self, client: Follower, command: FeedCommand) -> None:
        """Note the command and answer at once."""
        if self.broken:
            raise ZeroDivisionError
        self.commands.append(command)
        match command:
            case Subscribe(command_id, symbols, max_rate, _, resume):
                client.symbols.update(symbols)
                accepted = {s: Accepted(resume.get(s, Position(1, self.seq)), max_rate) for s in symbols}
                client.outbox.say(Subscribed(command_id, accepted, {}, 0))
            case Unsubscribe(command_id, symbols):
                client.symbols.difference_update(symbols)
                client.outbox.say(Unsubscribed(command_id, symbols, None))
            case List(command_id):
                client.outbox.say(Subscriptions(command_id, {}))

    def slow(self, client: Follower) -> None:
        """Note that the client does not keep up."""
        client.slow = True
        client.slowed += 1

    def drained(self, client: Follower) -> None:
        """Note that the client has taken everything."""
        client.slow = False
        client.drained += 1

    def tick(self, count: int = 1) -> None:
        """Let *count* ticks of AAPL come in one pass."""
        now = SystemClock().wall_us()
        lines = []
        for _ in range(count):
            self.seq += 1
            lines.append(encode_tick(Tick(self.seq, now, AAPL, 23015, 100, 23014, 23016, 3, 1, 1200, 2)))
        for client in self.clients:
            if AAPL in client.symbols and not client.slow:
                client.outbox.tick(b"\n".join(lines))
        message = TickMessage(AAPL, 1, self.seq - count + 1, now, now, tuple(lines))
        self._sessions.flush.deliver([message], now, SystemClock().monotonic())


class Gateway:
    """A server with the scripted feed."""

    def __init__(self, settings: GatewaySettings, heartbeat_s: float, known: Known | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.counters = Counters()
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
        self.feed = ScriptedFeed(self.sessions)
        self.authority = ScriptedAuthority(known)
        self.revoked = Revoked()
        welcoming = reception(settings, self.sessions, self.authority, revoked=self.revoked)
        application = web.Application()
        stream = Stream(settings, self.feed, self.sessions, welcoming, ())
        application.router.add_get("/v1/stream", stream.serve)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        self.port = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}/v1/stream"


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


@contextlib.asynccontextmanager
async def connected(server: Gateway, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Connect a client and read its welcome."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url, **options) as client:
        welcome = await client.receive_json(timeout=5)
        assert welcome["op"] == "welcome"
        yield client


class RawClient:
    """A client that reads only when told to, over a socket with a small receive buffer."""

    def __init__(self) -> None:
        self.socket = sockets.socket()
        self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
        self.socket.setblocking(False)
        self._buffer = b""

    async def connect(self, server: Gateway) -> None:
        """Shake hands and read the welcome."""
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", server.port))
        key = base64.b64encode(os.urandom(16)).decode()
        await loop.sock_sendall(
            self.socket,
            f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode(),
        )
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += await loop.sock_recv(self.socket, 4096)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        assert b" 101 " in head
        assert (await self.frame())["op"] == "welcome"

    async def send(self, command: dict[str, Any]) -> None:
        """Send a text frame, masked with zeros."""
        payload = json.dumps(command).encode()
        assert len(payload) < 126
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.socket, bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload)

    async def send_pong(self) -> None:
        """Send a pong without payload, masked with zeros."""
        await asyncio.get_running_loop().sock_sendall(self.socket, b"\x8a\x80" + bytes(4))

    async def frame(self) -> dict[str, Any]:
        """Read one frame; its JSON, or the code of a close frame as `close`."""
        opcode, payload = await self.take_frame()
        if opcode == CLOSE:
            return {"close": int.from_bytes(payload[:2], "big")}
        assert opcode == 0x81
        decoded: dict[str, Any] = json.loads(payload)
        return decoded

    async def take_frame(self) -> tuple[int, bytes]:
        """Read one frame: its first byte and its payload."""
        opcode, size = await self._take(2)
        if size == 126:
            size = int.from_bytes(await self._take(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._take(8), "big")
        return opcode, await self._take(size)

    async def read_ticks(self, seqs: list[int]) -> None:
        """Read frames until the connection ends, and add the sequences of their ticks to *seqs*."""
        while True:
            seqs += [tick["seq"] for tick in (await self.frame()).get("data", [])]

    async def _take(self, size: int) -> bytes:
        async with asyncio.timeout(5):
            while len(self._buffer) < size:
                piece = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
                if not piece:
                    raise EOFError
                self._buffer += piece
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


@contextlib.asynccontextmanager
async def raw_client(server: Gateway) -> AsyncIterator[RawClient]:
    """Connect a client that reads only when told to."""
    client = RawClient()
    try:
        await client.connect(server)
        yield client
    finally:
        client.socket.close()


# ------------------------------------------------------------------------------------------------ handshake


async def test_welcome() -> None:
    """The first frame says protocol, session, time, heartbeat, limits, feed and auth."""
    async with (
        gateway(max_symbols=7) as server,
        aiohttp.ClientSession() as http,
        http.ws_connect(server.url) as client,
    ):
        welcome = await client.receive_json(timeout=5)
        assert welcome["op"] == "welcome"
        assert welcome["protocol"] == 1
        assert len(welcome["session"]) == 16
        assert abs(welcome["server_time"] - SystemClock().wall_us()) < 5_000_000
        assert welcome["heartbeat"] == 15
        assert welcome["limits"]["symbols"] == 7
        assert welcome["limits"]["message_bytes"] == 65536
        assert welcome["feed"] == "live"
        assert welcome["auth"] == "none"
        assert client.protocol is None
        assert server.feed.clients[0].max_symbols == 7
        assert server.counters.handshakes[Handshake.OK] == 1


async def test_welcome_of_a_stale_feed() -> None:
    """A client that comes while a shard is stale is told so, and which shard."""
    async with gateway() as server:
        server.feed.status["us"] = Status(live=False, since=5, shard="us")
        async with aiohttp.ClientSession() as http, http.ws_connect(server.url) as client:
            assert (await client.receive_json(timeout=5))["feed"] == "stale"
            status = await client.receive_json(timeout=5)
            assert status == {"op": "status", "feed": "stale", "since": 5, "shard": "us"}


async def test_subprotocol_is_echoed() -> None:
    """A client that offers tickwire.v1 among others gets it."""
    async with gateway() as server, connected(server, protocols=("x", "tickwire.v1")) as client:
        assert client.protocol == "tickwire.v1"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upgrade": "websocket", "Connection": "Upgrade"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "chat"},
    ],
)
async def test_bad_handshake(headers: dict[str, str]) -> None:
    """A request that is no WebSocket handshake for this gateway is answered 400 and counted."""
    async with gateway() as server, aiohttp.ClientSession() as http:
        async with http.get(server.url, headers=headers) as answer:
            assert answer.status == 400
        assert server.counters.handshakes[Handshake.BAD] == 1
        assert len(server.sessions) == 0


async def test_full_gateway_refuses() -> None:
    """At the connection limit the next client gets 503 with Retry-After, or 1013 if it offers the subprotocol."""
    async with gateway(max_connections=1) as server, connected(server), aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(server.url)
        assert refused.value.status == 503
        assert refused.value.headers is not None
        assert int(refused.value.headers["Retry-After"]) > 0
        async with http.ws_connect(server.url, protocols=("tickwire.v1",)) as second:
            message = await second.receive(timeout=5)
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1013)
        assert server.counters.handshakes[Handshake.OVERLOADED] == 2
        assert len(server.sessions) == 1


# ------------------------------------------------------------------------------------------------- commands


async def test_subscribe_ticks_unsubscribe() -> None:
    """A client gets its answer, then ticks in one frame per pass, then nothing."""
    async with gateway() as server, connected(server) as client:
        await client.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL"], "max_rate": 5})
        assert await client.receive_json(timeout=5) == {
            "op": "subscribed",
            "id": 1,
            "symbols": {"AAPL": {"epoch": 1, "seq": 0, "max_rate": 5.0}},
            "rejected": {},
            "pending": 0,
        }
        server.feed.tick(3)
        ticks = await client.receive_json(timeout=5)
        assert ticks["op"] == "ticks"
        assert [tick["seq"] for tick in ticks["data"]] == [1, 2, 3]
        await client.send_json({"op": "unsubscribe", "id": 2, "symbols": ["AAPL"]})
        assert (await client.receive_json(timeout=5))["op"] == "unsubscribed"
        server.feed.tick(3)
        await client.send_json({"op": "list", "id": 3})
        assert (await client.receive_json(timeout=5))["op"] == "subscriptions"
        assert server.counters.ticks == 3
        assert server.counters.commands["subscribe", "ok"] == 1


async def test_everything() -> None:
    """The symbol * alone reaches the feed as EVERYTHING."""
    async with gateway() as server, connected(server) as client:
        await client.send_json({"op": "subscribe", "id": 1, "symbols": ["*"]})
        await client.receive_json(timeout=5)
        assert server.feed.commands == [Subscribe(1, (EVERYTHING,))]


async def test_ping_and_auth() -> None:
    """A ping is answered at once, and a token is refused where nobody is asked for one."""
    async with gateway() as server, connected(server) as client:
        await client.send_json({"op": "ping", "id": 9})
        pong = await client.receive_json(timeout=5)
        assert (pong["op"], pong["id"]) == ("pong", 9)
        assert pong["server_time"] > 0
        await client.send_json({"op": "auth", "id": 10, "token": "t"})
        error = await client.receive_json(timeout=5)
        assert (error["op"], error["id"], error["code"]) == ("error", 10, "auth_not_required")
        await client.ping(b"hello")
        assert server.counters.commands["auth", "auth_not_required"] == 1


async def test_protocol_ping_is_answered() -> None:
    """A WebSocket ping comes back as a pong with the same payload."""
    async with gateway() as server, connected(server, autoping=False) as client:
        await client.ping(b"hello")
        message = await client.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.PONG, b"hello")


@pytest.mark.parametrize(
    ("frame", "code", "command_id", "word"),
    [
        (b"\x00\x01", "binary_frame", None, "binary"),
        ("nonsense", "not_json", None, "JSON"),
        ("[1]", "not_an_object", None, "object"),
        ('{"id":1}', "missing_field", 1, "op"),
        ('{"op":"subscribe","symbols":["A"]}', "missing_field", None, "id"),
        ('{"op":"fly","id":1}', "unknown_op", 1, "op"),
        ('{"op":"list","id":0}', "bad_id", None, "id"),
        ('{"op":"list","id":"1"}', "bad_id", None, "id"),
        ('{"op":"subscribe","id":1}', "missing_field", 1, "symbols"),
        ('{"op":"subscribe","id":1,"symbols":"AAPL"}', "bad_symbols", 1, "symbols"),
        ('{"op":"subscribe","id":1,"symbols":[]}', "bad_symbols", 1, "symbols"),
        ('{"op":"subscribe","id":1,"symbols":["aapl"]}', "bad_symbol", 1, "aapl"),
        ('{"op":"subscribe","id":1,"symbols":["A","B","C","D"]}', "too_many_symbols", 1, "symbols"),
        ('{"op":"subscribe","id":1,"symbols":["A"],"max_rate":0}', "bad_max_rate", 1, "max_rate"),
        ('{"op":"subscribe","id":1,"symbols":["A"],"snapshot":1}', "bad_snapshot", 1, "snapshot"),
        ('{"op":"unsubscribe","id":1,"symbols":[7]}', "bad_symbol", 1, "symbol"),
        ('{"op":"auth","id":1,"token":7}', "bad_token", 1, "token"),
    ],
)
async def test_bad_input_keeps_the_connection_open(
    frame: str | bytes, code: str, command_id: int | None, word: str
) -> None:
    """A malformed frame gets an error that names the field, and the other subscriptions go on."""
    async with gateway(max_symbols=3) as server, connected(server) as client:
        await client.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
        await client.receive_json(timeout=5)
        await (client.send_bytes(frame) if isinstance(frame, bytes) else client.send_str(frame))
        error = await client.receive_json(timeout=5)
        assert (error["op"], error["code"], error["id"]) == ("error", code, command_id)
        assert word in error["message"]
        server.feed.tick()
        assert (await client.receive_json(timeout=5))["data"][0]["seq"] == 1
        assert server.counters.commands["invalid", code] == 1


async def test_bad_resume_subscribes_without_it() -> None:
    """A resume entry that cannot be used is reported before the answer, and the good ones are used."""
    async with gateway() as server, connected(server) as client:
        resume = {"AAPL": {"epoch": 1, "seq": 7}, "IBM": {"epoch": "x", "seq": 1}, "F": {"epoch": 1, "seq": 1}}
        await client.send_json({"op": "subscribe", "id": 4, "symbols": ["AAPL", "IBM"], "resume": resume})
        error = await client.receive_json(timeout=5)
        assert (error["code"], error["id"]) == ("bad_resume", 4)
        assert "IBM" in error["message"]
        assert "F" in error["message"]
        subscribed = await client.receive_json(timeout=5)
        assert set(subscribed["symbols"]) == {"AAPL", "IBM"}
        assert server.feed.commands == [Subscribe(4, (AAPL, Symbol("IBM")), resume={AAPL: Position(1, 7)})]


@pytest.mark.parametrize("most", [2_000, 65_536, 100_000])
@pytest.mark.parametrize("over", [0, 1])
async def test_size_limit(most: int, over: int) -> None:
    """A message of the most bytes that are allowed is read; one byte more ends the connection with 1009."""
    closed = bool(over)
    async with gateway(message_bytes=most) as server, connected(server) as client:
        await client.send_str(" " * (most + over))
        message = await client.receive(timeout=5)
        if closed:
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)
            await eventually(lambda: server.counters.closes[TOO_BIG, Side.SERVER] == 1)
        else:
            assert json.loads(message.data)["code"] == "not_json"


async def test_too_many_commands() -> None:
    """A client that sends more than its burst is closed with 4429, and what it asked before is answered."""
    async with gateway(command_rate=0.1, command_burst=3) as server, connected(server) as client:
        for n in range(1, 5):
            await client.send_json({"op": "ping", "id": n})
        for n in range(1, 4):
            assert (await client.receive_json(timeout=5))["id"] == n
        message = await client.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4429)
        await eventually(lambda: server.counters.closes[TOO_MANY_COMMANDS, Side.SERVER] == 1)
        await eventually(lambda: not server.feed.clients)


async def test_many_names_count_as_many_commands() -> None:
    """Commands about many names use up more of the burst: what churns a thousand symbols is a flood sooner."""
    symbols = [f"S{n}" for n in range(500)]
    async with gateway(command_rate=0.1, command_burst=60) as server, connected(server) as client:
        for n in range(1, 5):
            await client.send_json({"op": "subscribe", "id": n, "symbols": symbols})
        answers = [await client.receive(timeout=5) for _ in range(4)]
        assert [answer.type for answer in answers] == [WSMsgType.TEXT] * 3 + [WSMsgType.CLOSE]
        assert answers[-1].data == TOO_MANY_COMMANDS.code


async def test_pings_have_a_limit_of_their_own() -> None:
    """A flood of WebSocket pings, each of which is answered, ends with 4429; commands do not count among them."""
    given: dict[str, Any] = {"ping_rate": 0.1, "ping_burst": 3, "command_rate": 0.1, "command_burst": 2}
    async with gateway(**given) as server, connected(server, autoping=False) as client:
        for n in (1, 2):
            await client.send_json({"op": "ping", "id": n})
            assert (await client.receive_json(timeout=5))["id"] == n
        for _ in range(4):
            await client.ping(b"")
        for _ in range(3):
            assert (await client.receive(timeout=5)).type is WSMsgType.PONG
        message = await client.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4429)
        assert server.counters.floods == {Flood.COMMANDS: 0, Flood.PINGS: 1}
        await eventually(lambda: server.counters.closes[TOO_MANY_COMMANDS, Side.SERVER] == 1)


async def test_pings_behind_the_limit_are_not_parsed() -> None:
    """Of 40,000 pings that come at once so many are parsed as the limits say; the others are only read."""
    frames = 0

    class Counting(Inbound):
        def _next_frame(self) -> Any:
            nonlocal frames
            frames += 1
            return super()._next_frame()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.wires.native.connection.Inbound", Counting)
        async with gateway(ping_burst=20) as server, raw_client(server) as client:
            flood = asyncio.create_task(
                asyncio.get_running_loop().sock_sendall(client.socket, b"\x89\x80\0\0\0\0" * 40_000)
            )
            while (await client.take_frame())[0] == PONG:
                pass
            await flood
            client.socket.close()
            await eventually(lambda: server.counters.closes[TOO_MANY_COMMANDS, Side.SERVER] == 1)
            assert 20 < frames < 1_100


async def test_an_answer_to_our_ping_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers every ping of ours with one pong has all its own pings left; a second pong counts."""
    monkeypatch.setattr("gateway.session.PING_S", 0.5)
    async with gateway(ping_rate=0.1, ping_burst=1, heartbeat_s=0.5) as server, raw_client(server) as client:
        for _ in range(4):
            while (await client.take_frame())[0] != PING:
                pass
            await client.send_pong()
        await client.send_pong()
        await client.send({"op": "ping", "id": 1})
        while b"pong" not in (await client.take_frame())[1]:
            pass
        await client.send_pong()
        await client.send_pong()
        with contextlib.suppress(EOFError):
            while (taken := await client.take_frame())[0] != CLOSE:
                pass
        assert taken == (CLOSE, b"\x11\x4dtoo many commands")
        assert server.counters.floods[Flood.PINGS] == 1


async def test_unread_pongs_are_bounded() -> None:
    """A client that sends pings as fast as it can and reads no pong is not read from: what waits stays small."""
    async with gateway(ping_rate=10_000, ping_burst=100_000) as server, raw_client(server) as client:
        (session,) = server.sessions
        largest = 0

        def waiting() -> int:
            nonlocal largest
            largest = max(largest, session._transport.get_write_buffer_size())
            return largest

        ping = b"\x89\xfd" + bytes(4) + b"p" * 125
        flood = asyncio.create_task(asyncio.get_running_loop().sock_sendall(client.socket, ping * 100_000))
        await eventually(lambda: waiting() and server.sessions.blocked)
        look = server.sessions.clock.monotonic() + 1
        await eventually(lambda: waiting() and server.sessions.clock.monotonic() > look)
        flood.cancel()
        assert largest < 300_000  # of 12.7 MB: the pongs to one read of the socket
        assert not server.counters.floods[Flood.PINGS]


async def test_unasked_pongs_count_as_pings() -> None:
    """Pongs that nobody asked for, each read alone, are a sign of life, and a flood like any other."""
    async with gateway(ping_rate=0.1, ping_burst=3) as server, connected(server) as client:
        (session,) = server.sessions
        for _ in range(3):
            before = session.heard
            await client.pong(b"")
            await eventually(lambda: session.heard > before)  # noqa: B023 - awaited in this very turn
        await client.pong(b"")
        message = await client.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4429)


async def test_who_does_not_read_is_not_read_from() -> None:
    """Commands of a client whose socket is full wait, lest their answers pile up; they are obeyed later."""
    async with gateway() as server, raw_client(server) as client:
        await client.send({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
        await client.frame()
        follower = server.feed.clients[0]
        while not follower.slow:
            server.feed.tick(100)
            await asyncio.sleep(0.001)
        await client.send({"op": "list", "id": 2})  # may be the one that was already waited for
        await client.send({"op": "list", "id": 3})
        await client.send({"op": "list", "id": 4})
        look = server.sessions.clock.monotonic() + 0.2
        await eventually(lambda: server.sessions.clock.monotonic() > look)
        assert List(3) not in server.feed.commands
        reading = asyncio.create_task(client.read_ticks([]))
        await eventually(lambda: List(4) in server.feed.commands)
        reading.cancel()


# --------------------------------------------------------------------------------------------- time and ends


async def test_heartbeat_after_silence() -> None:
    """A client that was told nothing for the heartbeat's time gets a heartbeat frame."""
    async with gateway(heartbeat_s=0.3) as server, connected(server) as client:
        heartbeat = await client.receive_json(timeout=5)
        assert heartbeat["op"] == "heartbeat"
        assert heartbeat["sent"] > 0


async def test_client_leaves() -> None:
    """A client's own close is answered and counted under its code."""
    async with gateway() as server:
        async with connected(server) as client:
            await client.close(code=1000)
            assert client.close_code == 1000
        await eventually(lambda: server.counters.closes[NORMAL, Side.CLIENT] == 1)
        await eventually(lambda: len(server.sessions) == 0)
        assert not server.feed.clients


async def test_client_vanishes() -> None:
    """A connection that breaks without a close counts as 1006."""
    async with gateway() as server:
        async with raw_client(server):
            assert len(server.sessions) == 1
        await eventually(lambda: server.counters.closes[GONE, Side.CLIENT] == 1)
        assert not server.feed.clients


async def test_slow_reader_conflates_and_recovers() -> None:
    """A client that stops reading is slow once, holds a bounded amount, and is drained when it reads on."""
    async with gateway() as server, raw_client(server) as client:
        await client.send({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
        assert (await client.frame())["op"] == "subscribed"
        follower = server.feed.clients[0]
        while not follower.slow:
            server.feed.tick(100)
            await asyncio.sleep(0.001)
        for _ in range(50):
            server.feed.tick(100)
        assert server.counters.bytes < 1024 * 1024
        seqs: list[int] = []
        reading = asyncio.create_task(client.read_ticks(seqs))
        await eventually(lambda: follower.drained)
        server.feed.tick()
        await eventually(lambda: seqs[-1] == server.feed.seq)
        assert seqs[:-1] == list(range(1, len(seqs)))
        assert (follower.slowed, server.counters.slow) == (1, 1)
        reading.cancel()


async def test_stuck_reader_is_evicted() -> None:
    """A client that takes not one byte for the allowed time is torn down, and its socket is gone at once."""
    async with gateway(stuck_s=0.6) as server, raw_client(server) as client:
        await client.send({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
        await client.frame()
        follower = server.feed.clients[0]
        while not follower.slow:
            server.feed.tick(100)
            await asyncio.sleep(0.001)
        await eventually(lambda: server.counters.evictions[Eviction.STUCK] == 1)
        await eventually(lambda: len(server.sessions) == 0)
        assert server.counters.closes[TOO_SLOW, Side.SERVER] == 1
        with pytest.raises(ConnectionResetError):
            await client.read_ticks([])


async def test_a_defect_ends_one_client(caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody expected is logged, closes that client with 1011, and leaves the others alone."""
    async with gateway() as server, connected(server) as client, connected(server) as other:
        server.feed.broken = True
        await client.send_json({"op": "list", "id": 1})
        message = await client.receive(timeout=5)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
        await eventually(lambda: server.counters.closes[INTERNAL, Side.SERVER] == 1)
        await eventually(lambda: len(server.feed.clients) == 1)
        await other.send_json({"op": "ping", "id": 1})
        assert (await other.receive_json(timeout=5))["op"] == "pong"
        assert "Error handling request" not in caplog.text


async def test_one_dead_client_does_not_end_the_pass() -> None:
    """A tick reaches the others in the same pass in which one transport is found dead."""
    async with gateway() as server, connected(server) as client, connected(server) as dying:
        for each in (client, dying):
            await each.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
            await each.receive_json(timeout=5)
        for session in server.sessions:
            if session.outbox is server.feed.clients[1].outbox:
                session.outbox.fd = -1  # as over TLS: the socket itself would still take the frame
                session._transport.abort()
        server.feed.clients.reverse()
        server.feed.tick()
        assert (await client.receive_json(timeout=5))["data"][0]["seq"] == 1
        assert server.counters.dead_writes == 1


async def test_latency_is_observed_per_tick() -> None:
    """Each tick of a pass counts once in each stage, however many clients there are."""
    async with gateway() as server, connected(server) as one, connected(server) as two:
        for client in (one, two):
            await client.send_json({"op": "subscribe", "id": 1, "symbols": ["AAPL"]})
            await client.receive_json(timeout=5)
        server.feed.tick(5)
        for stage in Stage:
            assert server.counters.latencies[stage].buckets()[-1] == ("+Inf", 5.0)


async def test_drain() -> None:
    """A drain tells everybody to reconnect, closes with 1012 by the handler, and refuses who comes meanwhile."""
    async with gateway() as server, connected(server) as one, connected(server) as two:
        draining = asyncio.create_task(server.sessions.drain(2.0))
        for client in (one, two):
            reconnect = await client.receive_json(timeout=5)
            assert reconnect["op"] == "reconnect"
            assert 0 <= reconnect["in_ms"] <= 2000
            assert reconnect["reason"] == "restart"
            message = await client.receive(timeout=5)
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)
        await draining
        assert len(server.sessions) == 0
        assert server.counters.closes[RESTART, Side.SERVER] == 2
        assert server.counters.evictions[Eviction.DRAIN] == 0
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(server.url)
            async with http.ws_connect(server.url, protocols=("tickwire.v1",)) as late:
                assert (await late.receive(timeout=5)).data == 1012
        assert server.counters.handshakes[Handshake.DRAINING] == 2


async def test_drain_tears_stragglers_down() -> None:
    """A client that does not answer the close is gone when the drain time is over."""
    async with gateway() as server, raw_client(server):
        loop = asyncio.get_running_loop()
        start = loop.time()
        await server.sessions.drain(0.5)
        assert loop.time() - start < 2.0
        assert len(server.sessions) == 0
        assert server.counters.evictions[Eviction.DRAIN] == 1
