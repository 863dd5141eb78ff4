"""One native client's connection, from its `welcome` to its end: commands in, frames out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

import structlog

from gateway.admission.limits import TokenBucket
from gateway.closing import (
    GONE,
    INTERNAL,
    NO_CODE,
    TOO_MANY_COMMANDS,
    Close,
    Side,
    by_code,
    label,
    sendable,
)
from gateway.commands import Auth, Command, List, Ping, Subscribe, Unsubscribe
from gateway.frames import Error, Pong, Status
from gateway.metrics import Counters, Flood, Op
from gateway.outbox import Outbox
from gateway.session import Session, tune
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires import framing, inbound
from gateway.wires.farewell import Farewell
from gateway.wires.inbound import Inbound
from gateway.wires.native import encode
from gateway.wires.native.faults import CommandFault, ErrorCode
from gateway.wires.native.parse import LEAST_RATE, MOST_RATE, parse

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


class Desk:
    """What all native connections of a gateway share."""

    def __init__(self, settings: GatewaySettings, feed: ClientFeed, sessions: Sessions) -> None:
        self.settings = settings
        self.feed = feed
        self.sessions = sessions
        self.counters: Counters = sessions.counters
        self.clock = sessions.clock
        self._limits = {
            "symbols": settings.max_symbols,
            "message_bytes": settings.message_bytes,
            "commands_per_s": settings.command_rate,
            "command_burst": settings.command_burst,
            "max_rate": [LEAST_RATE, MOST_RATE],
        }

    def welcome(self, session: Session, now: float) -> None:
        """Say the first words to a client."""
        stale = [status for status in self.feed.status.values() if not status.live]
        session.say(
            encode.welcome(
                session.id,
                sent_us=self.clock.wall_us(),
                live=self.feed.ready and not stale,
                auth="none",
                limits=self._limits,
                heartbeat_s=self.sessions.heartbeat_s,
            ),
            now,
        )
        for status in stale:
            session.outbox.say(status)


class Connection(asyncio.Protocol):
    """The protocol of one client's transport, once the handshake is over.

    It has no task: commands are obeyed where their bytes come in, and everything else is the session's and the
    feed's business.
    """

    __slots__ = ("_client", "_desk", "_ending", "_inbound", "_session", "_transport")

    def __init__(self, desk: Desk, transport: asyncio.Transport, peer: str | None) -> None:
        self._desk, self._transport = desk, transport
        self._inbound: Inbound | None = None
        self._ending: _Ending | None = None
        transport.set_protocol(self)
        settings, now = desk.settings, desk.clock.monotonic()
        self._session = session = Session(
            secrets.token_hex(8),
            transport,
            encode,
            desk.sessions,
            bucket=TokenBucket(settings.command_rate, settings.command_burst, now),
            interrupt=self._interrupted,
            now=now,
        )
        session.outbox.fd = tune(transport)
        desk.sessions.add(session)
        desk.welcome(session, now)
        self._client = desk.feed.join(session.outbox, max_symbols=settings.max_symbols)
        session.follow(self)
        _log.info("session.opened", session=session.id, peer=peer, wire="native")

    # -------------------------------------------------------------------------------- what the session reports

    def slow(self) -> None:
        """Conflate from now on."""
        self._desk.counters.slow += 1
        self._desk.feed.slow(self._client)

    def drained(self) -> None:
        """Go on: everything was taken."""
        self._desk.feed.drained(self._client)

    # --------------------------------------------------------------------------------- what the transport says

    def data_received(self, data: bytes) -> None:
        """Obey what *data* completes."""
        session = self._session
        session.heard = now = self._desk.clock.monotonic()
        try:
            if self._inbound is None and inbound.lone_pong(data):
                self._take(inbound.Pong(), now)
            else:
                self._read(data, now)
        except Exception:  # noqa: BLE001 - a defect of ours ends one client, not the others
            _log.exception("session.failed", session=session.id)
            self._close(INTERNAL, Side.SERVER)

    def _read(self, data: bytes, now: float) -> None:
        self._inbound = parser = self._inbound or Inbound(self._desk.settings.message_bytes)
        for event in parser.feed(data):
            if not self._take(event, now):
                return
        self._inbound = None if parser.idle else parser

    def pause_writing(self) -> None:
        """The socket is full."""
        self._session.pause()

    def resume_writing(self) -> None:
        """It has taken everything."""
        self._session.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client, whose socket is about to be closed."""
        del exc
        self._session.lost()
        if self._ending is None:
            close = self._session.closing  # set where the gateway itself tore the connection down
            self._leave(close or GONE, Side.SERVER if close else Side.CLIENT)
        self._ended()

    # --------------------------------------------------------------------------------------------- commands

    def _take(self, event: inbound.Event, now: float) -> bool:
        """Do what *event* asks for; return whether the connection goes on."""
        session = self._session
        match event:
            case inbound.Farewell(code):
                self._close(NO_CODE if code is None else by_code(code), Side.CLIENT, answer=code)
                return False
            case inbound.Violation(code):
                self._close(by_code(code), Side.SERVER, failed=True)
                return False
        flood = self._flood(event, now)
        if flood is not None:
            self._desk.counters.floods[flood] += 1
            self._close(TOO_MANY_COMMANDS, Side.SERVER)
            return False
        match event:
            case inbound.Message(data):
                self._command(data)
            case inbound.Ping(payload):
                session.write(framing.pong(payload))
        return True

    def _flood(self, event: inbound.Event, now: float) -> Flood | None:
        """Whether *event* is one too many.  A pong to a ping of ours is free, others cost as much as a ping."""
        session = self._session
        match event:
            case inbound.Message():
                return None if session.bucket.take(now) else Flood.COMMANDS
            case inbound.Pong() if session.answered():
                return None
        if session.pings is None:
            settings = self._desk.settings
            session.pings = TokenBucket(settings.ping_rate, settings.ping_burst, now)
        return None if session.pings.take(now) else Flood.PINGS

    def _command(self, data: str | bytes) -> None:
        try:
            parsed = parse(data, max_symbols=self._desk.settings.max_symbols)
        except CommandFault as fault:
            self._fault(Op.INVALID, fault)
            return
        op = _OPS[type(parsed.command)]
        if parsed.fault is not None:
            # Before the answer: a client may forget an id once it is answered.
            self._fault(op, parsed.fault)
        result = self._obey(parsed.command)
        if parsed.fault is None:
            self._desk.counters.commands[op, result] += 1

    def _fault(self, op: Op, fault: CommandFault) -> None:
        self._desk.counters.commands[op, fault.code] += 1
        self._session.outbox.say(Error(fault.id, fault.code, str(fault)))

    def _obey(self, command: Command) -> str:
        match command:
            case Ping():
                self._session.outbox.say(Pong(command.id))
            case Auth():
                code = ErrorCode.AUTH_NOT_REQUIRED
                self._session.outbox.say(Error(command.id, code, "this gateway asks for no token"))
                return code
            case _:
                self._desk.feed.obey(self._client, command)
        return "ok"

    # ---------------------------------------------------------------------------------------------- the end

    def _interrupted(self) -> None:
        self._close(self._session.closing or INTERNAL, Side.SERVER)

    def _close(self, close: Close, side: Side, *, answer: int | None = None, failed: bool = False) -> None:
        """End the connection with a close frame.

        *answer*: the client's own code, which is said back to it (RFC 6455 section 5.5.1).  *failed*: see
        `Farewell`.
        """
        if self._ending is not None or self._transport.is_closing():
            return
        session = self._session
        self._leave(close, side)
        if side is Side.CLIENT:
            session.write(framing.close(answer))
            session.finish()
            return
        # What was said before goes out before: answers, `reconnect`.
        session.flush(self._desk.clock.monotonic(), self._desk.clock.wall_us())
        session.outbox.fd = -1
        session.write(framing.close(close.code if sendable(close) else None, close.reason))
        reader = self._inbound or Inbound(self._desk.settings.message_bytes)
        Farewell(self._transport, reader, finish=session.finish, ended=self._ended, failed=failed)

    def _leave(self, close: Close, side: Side) -> None:
        """Let the feed forget the client."""
        self._ending = _Ending(close, side, self._client.subscriptions)
        self._session.closing = close
        self._session.follow(None)
        self._desk.feed.leave(self._client)

    def _ended(self) -> None:
        """The socket is gone."""
        desk, session, ending = self._desk, self._session, self._ending
        if ending is None:
            return
        session.lost()
        desk.sessions.remove(session)
        desk.counters.closes[ending.close, ending.side] += 1
        _log.info(
            "session.closed",
            session=session.id,
            code=label(ending.close),
            reason=ending.close.reason,
            side=ending.side.value,
            seconds=round(desk.clock.monotonic() - session.opened, 3),
            symbols=ending.symbols,
            slow=session.slow_spells,
        )


class _Ending(NamedTuple):
    """How a connection ends, and how many symbols its client followed."""

    close: Close
    side: Side
    symbols: int
