"""`/v1/stream`: the handshake, the commands, and the end of one native client's connection."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Protocol

import structlog
from aiohttp import WebSocketError, WSMessage, WSMsgType, web

from gateway.admission.limits import TokenBucket
from gateway.closing import GONE, INTERNAL, NO_CODE, TOO_MANY_COMMANDS, Close, Side, by_code, label
from gateway.commands import Auth, Command, List, Ping, Subscribe, Unsubscribe
from gateway.frames import Error, Pong, Status
from gateway.metrics import Counters, Handshake, Op
from gateway.outbox import Outbox
from gateway.session import Session, tune
from gateway.sessions import Refusal, Sessions
from gateway.settings import GatewaySettings
from gateway.wires import framing
from gateway.wires.native import encode
from gateway.wires.native.faults import CommandFault, ErrorCode
from gateway.wires.native.parse import LEAST_RATE, MOST_RATE, parse

SUBPROTOCOL: Final = "tickwire.v1"
"""A client that offers it is upgraded before it is refused: a browser cannot see an HTTP status."""
COMMAND_BYTES: Final = 64 * 1024
"""Most bytes of one message from a client; above it 1009."""
FAREWELL_S: Final = 2.0
"""Seconds that a client has to answer a close frame."""

_OPS: Final = {Subscribe: Op.SUBSCRIBE, Unsubscribe: Op.UNSUBSCRIBE, List: Op.LIST, Ping: Op.PING, Auth: Op.AUTH}
_log = structlog.get_logger("tickwire.session")


class Following(Protocol):
    """What the feed knows a client by."""

    @property
    def subscriptions(self) -> int:
        """How many symbols it follows."""
        ...


class ClientFeed(Protocol):
    """The part of the feed that a wire needs: `gateway.feed.Feed`."""

    @property
    def ready(self) -> bool:
        """Whether a broker was connected, and a heartbeat seen, since the start."""
        ...

    @property
    def status(self) -> Mapping[str, Status]:
        """The newest status of each shard."""
        ...

    def join(self, outbox: Outbox, *, max_symbols: int) -> Any:
        """Take a client in."""
        ...

    def leave(self, client: Any) -> None:
        """Let a client go."""
        ...

    def obey(self, client: Any, command: Subscribe | Unsubscribe | List) -> None:
        """Carry out a command; answers arrive in the outbox."""
        ...

    def slow(self, client: Any) -> None:
        """Conflate for a client."""
        ...

    def drained(self, client: Any) -> None:
        """Go on with a client."""
        ...


class _Client:
    """One client as the feed knows it, and as its session reports of it."""

    __slots__ = ("_counters", "_feed", "client")

    def __init__(self, feed: ClientFeed, client: Any, counters: Counters) -> None:
        self._feed, self.client, self._counters = feed, client, counters

    @property
    def subscriptions(self) -> int:
        return int(self.client.subscriptions)

    def slow(self) -> None:
        self._counters.slow += 1
        self._feed.slow(self.client)

    def drained(self) -> None:
        self._feed.drained(self.client)


class Stream:
    """The handler of the native wire."""

    def __init__(self, settings: GatewaySettings, feed: ClientFeed, sessions: Sessions) -> None:
        self._settings = settings
        self._feed = feed
        self._sessions = sessions
        self._counters = sessions.counters
        self._clock = sessions.clock
        self._limits = {
            "symbols": settings.max_symbols,
            "message_bytes": COMMAND_BYTES,
            "commands_per_s": settings.command_rate,
            "command_burst": settings.command_burst,
            "max_rate": [LEAST_RATE, MOST_RATE],
        }

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one client from its handshake to its close."""
        offered = _offered(request)
        refusal = self._sessions.refusal()
        if refusal is not None and SUBPROTOCOL not in offered:
            self._refuse(refusal)
        if offered and SUBPROTOCOL not in offered:
            # A browser would drop the connection after the upgrade, for no reason that it shows.
            self._counters.handshakes[Handshake.BAD] += 1
            raise web.HTTPBadRequest(text=f"the only subprotocol here is {SUBPROTOCOL}\n")
        socket = web.WebSocketResponse(
            timeout=FAREWELL_S,
            autoping=False,
            protocols=(SUBPROTOCOL,),
            compress=False,
            max_msg_size=COMMAND_BYTES + 1,  # aiohttp refuses what is as large as its limit, too
        )
        await self._upgrade(request, socket)
        refusal = refusal or self._sessions.refusal()
        if refusal is not None:
            self._counters.handshakes[refusal.handshake] += 1
            self._counters.closes[refusal.close, Side.SERVER] += 1
            await _close(socket, refusal.close)
            return socket
        self._counters.handshakes[Handshake.OK] += 1
        await self._attend(request, socket)
        return socket

    def _refuse(self, refusal: Refusal) -> NoReturn:
        self._counters.handshakes[refusal.handshake] += 1
        raise web.HTTPServiceUnavailable(
            headers={"Retry-After": str(refusal.retry_after_s)}, text=f"{refusal.close.reason}\n"
        )

    async def _upgrade(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        try:
            await socket.prepare(request)
        except (web.HTTPException, ConnectionError):
            self._counters.handshakes[Handshake.BAD] += 1
            raise

    async def _attend(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        session, client = self._open(request)
        close, side = INTERNAL, Side.SERVER
        try:
            close, side = await self._converse(socket, session, client)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if session.closing is None or task is None:
                raise
            task.uncancel()
            close, side = session.closing, Side.SERVER
        except Exception:  # noqa: BLE001 - a defect of ours ends one client, not the others
            _log.exception("session.failed", session=session.id)
        finally:
            symbols = client.subscriptions
            session.follow(None)
            self._feed.leave(client.client)
            try:
                if side is Side.SERVER:
                    # What was said before goes out before: answers, `reconnect`.
                    session.flush(self._clock.monotonic(), self._clock.wall_us())
                    await _close(socket, close)
            finally:
                session.finish()
                self._sessions.remove(session)
                self._counters.closes[close, side] += 1
                self._report(session, close, side, symbols)

    def _open(self, request: web.Request) -> tuple[Session, _Client]:
        transport, task = request.transport, asyncio.current_task()
        if transport is None or task is None:
            raise ConnectionResetError("the client left during the handshake")
        tune(transport)
        now, settings = self._clock.monotonic(), self._settings
        session = Session(
            secrets.token_hex(8),
            transport,
            encode,
            self._sessions,
            bucket=TokenBucket(settings.command_rate, settings.command_burst, now),
            interrupt=task.cancel,
            now=now,
        )
        self._sessions.add(session)
        self._welcome(session, now)
        client = _Client(
            self._feed, self._feed.join(session.outbox, max_symbols=settings.max_symbols), self._counters
        )
        session.follow(client)
        _log.info("session.opened", session=session.id, peer=request.remote, wire="native")
        return session, client

    def _welcome(self, session: Session, now: float) -> None:
        stale = [status for status in self._feed.status.values() if not status.live]
        session.say(
            encode.welcome(
                session.id,
                sent_us=self._clock.wall_us(),
                live=self._feed.ready and not stale,
                auth="none",
                limits=self._limits,
                heartbeat_s=self._sessions.heartbeat_s,
            ),
            now,
        )
        for status in stale:
            session.outbox.say(status)

    async def _converse(
        self, socket: web.WebSocketResponse, session: Session, client: _Client
    ) -> tuple[Close, Side]:
        """Obey until the connection ends; return how."""
        while True:
            if session.outbox.blocked:
                await session.writable()
            message = await socket.receive()
            session.heard = now = self._clock.monotonic()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    if session.bucket.take(now):
                        self._command(session, client, message.data)
                        continue
                    return TOO_MANY_COMMANDS, Side.SERVER
                case WSMsgType.PING | WSMsgType.PONG:
                    if not session.bucket.take(now):
                        return TOO_MANY_COMMANDS, Side.SERVER
                    if message.type is WSMsgType.PING:
                        session.write(framing.pong(message.data), now)
                case _:
                    return _ending(session, message)

    def _command(self, session: Session, client: _Client, frame: str | bytes) -> None:
        try:
            parsed = parse(frame, max_symbols=self._settings.max_symbols)
        except CommandFault as fault:
            self._fault(session, Op.INVALID, fault)
            return
        op = _OPS[type(parsed.command)]
        if parsed.fault is not None:
            # Before the answer: a client may forget an id once it is answered.
            self._fault(session, op, parsed.fault)
        result = self._obey(session, client, parsed.command)
        if parsed.fault is None:
            self._counters.commands[op, result] += 1

    def _fault(self, session: Session, op: Op, fault: CommandFault) -> None:
        self._counters.commands[op, fault.code] += 1
        session.outbox.say(Error(fault.id, fault.code, str(fault)))

    def _obey(self, session: Session, client: _Client, command: Command) -> str:
        match command:
            case Ping():
                session.outbox.say(Pong(command.id))
            case Auth():
                code = ErrorCode.AUTH_NOT_REQUIRED
                session.outbox.say(Error(command.id, code, "this gateway asks for no token"))
                return code
            case _:
                self._feed.obey(client.client, command)
        return "ok"

    def _report(self, session: Session, close: Close, side: Side, symbols: int) -> None:
        _log.info(
            "session.closed",
            session=session.id,
            code=label(close),
            reason=close.reason,
            side=side.value,
            seconds=round(self._clock.monotonic() - session.opened, 3),
            symbols=symbols,
            frames=session.frames,
            ticks=session.ticks,
            bytes=session.bytes,
            slow=session.slow_spells,
        )


def _offered(request: web.Request) -> frozenset[str]:
    header = ",".join(request.headers.getall("Sec-WebSocket-Protocol", ()))
    return frozenset(name.strip() for name in header.split(",")) - {""}


def _ending(session: Session, message: WSMessage) -> tuple[Close, Side]:
    """Return how a connection ended whose last *message* is no command."""
    if session.closing is not None:
        return session.closing, Side.SERVER
    if message.type is WSMsgType.CLOSE:
        return by_code(message.data) if message.data else NO_CODE, Side.CLIENT
    if message.type is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
        return by_code(message.data.code), Side.SERVER
    return GONE, Side.CLIENT


async def _close(socket: web.WebSocketResponse, close: Close) -> None:
    """Say *close* and wait for the answer, at most `FAREWELL_S`: a client that does not read holds nobody up."""
    try:
        async with asyncio.timeout(FAREWELL_S):
            await socket.close(code=close.code, message=close.reason.encode())
    except TimeoutError:
        pass
