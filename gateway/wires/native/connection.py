"""One native client's connection, from its `welcome` to its end: commands in, frames out."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final, NamedTuple

import structlog

from gateway.admission import refusal
from gateway.admission.doorkeeper import Caller, Seat
from gateway.admission.entitlement import Entitlement
from gateway.admission.limits import TokenBucket
from gateway.admission.refusal import Handshake, Refusal
from gateway.admission.stay import Turn
from gateway.closing import (
    GONE,
    INTERNAL,
    NO_CODE,
    RESTART,
    TOKEN_EXPIRED,
    TOKEN_REFUSED,
    TOO_MANY_COMMANDS,
    Close,
    Side,
    by_code,
    label,
    sendable,
)
from gateway.commands import (
    Auth,
    Command,
    List,
    Ping,
    Subscribe,
    SubscribeCandles,
    Unsubscribe,
    UnsubscribeCandles,
    weight,
)
from gateway.counters import Flood, Op
from gateway.frames import Authorized, Error, Pong, Reconnect
from gateway.session import Session, tune
from gateway.wires import framing, inbound
from gateway.wires.farewell import Farewell
from gateway.wires.inbound import Inbound
from gateway.wires.native import encode
from gateway.wires.native.desk import Desk
from gateway.wires.native.faults import CommandFault, ErrorCode
from gateway.wires.native.parse import parse

NOTHING: Final = Entitlement()
"""What a client may do before its token is there."""

_OPS: Final = {
    Subscribe: Op.SUBSCRIBE,
    SubscribeCandles: Op.SUBSCRIBE,
    Unsubscribe: Op.UNSUBSCRIBE,
    UnsubscribeCandles: Op.UNSUBSCRIBE,
    List: Op.LIST,
    Ping: Op.PING,
    Auth: Op.AUTH,
}
_log = structlog.get_logger("tickwire.session")


class Connection(asyncio.Protocol):
    """The protocol of one client's transport, once the handshake is over.

    It has no task, but while a token is being checked: commands are obeyed where their bytes come in, and
    everything else is the session's and the feed's business.  *began*: when its handshake did, by the desk's
    clock; None: nobody knows.
    """

    __slots__ = (
        "_caller",
        "_checking",
        "_client",
        "_desk",
        "_ending",
        "_inbound",
        "_seat",
        "_session",
        "_transport",
    )

    def __init__(
        self, desk: Desk, transport: asyncio.Transport, caller: Caller, seat: Seat, *, began: float | None = None
    ) -> None:
        self._desk, self._transport = desk, transport
        self._caller, self._seat = caller, seat
        self._inbound: Inbound | None = None
        self._ending: _Ending | None = None
        self._checking = False
        """Whether a token is being checked: what the client says meanwhile is read afterwards."""
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
            seat=seat,
            stay=desk.stay(seat, now),
        )
        session.outbox.fd = tune(transport)
        desk.sessions.add(session)
        desk.welcome(session, seat, now)
        if began is not None:
            desk.counters.handshake_times.observe(desk.clock.monotonic() - began)
        entitlement = seat.entitlement or NOTHING
        self._client = desk.feed.join(session.outbox, max_symbols=settings.max_symbols, entitlement=entitlement)
        session.follow(self)
        if seat.entitlement is not None:
            desk.counters.handshakes[Handshake.OK] += 1
        _log.info(
            "session.opened",
            session=session.id,
            peer=caller.address,
            origin=caller.origin,
            subject=seat.subject,
            wire="native",
        )

    # -------------------------------------------------------------------------------- what the session reports

    def slow(self) -> None:
        """Conflate from now on."""
        self._desk.counters.slow += 1
        self._desk.feed.slow(self._client)

    def drained(self) -> None:
        """Go on: everything was taken."""
        self._desk.feed.drained(self._client)

    def timed(self, turn: Turn) -> None:
        """Do what the connection's time asks for."""
        desk, session = self._desk, self._session
        match turn:
            case Turn.WARN:
                session.outbox.say(self._authorized(None))
            case Turn.EXPIRED:
                self._close(TOKEN_EXPIRED, Side.SERVER)
            case Turn.UNASKED:
                desk.reception.turned_away(self._caller, refusal.NO_TOKEN)
                self._close(TOKEN_REFUSED, Side.SERVER)
            case Turn.OLD:
                session.outbox.say(Reconnect(0, "age"))
                self._close(RESTART, Side.SERVER)
            case _:
                pass

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
        events = parser.feed(data)
        while not self._checking and (event := next(events, None)) is not None:
            if not self._take(event, now):
                return
        if self._checking:
            self._transport.pause_reading()
        else:
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
            case inbound.Pong() if (pinged := session.answered()) is not None:
                self._desk.counters.ping_times.observe(now - pinged)
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
        self._weigh(parsed.command)
        op = _OPS[type(parsed.command)]
        if parsed.fault is not None:
            # Before the answer: a client may forget an id once it is answered.
            self._fault(op, parsed.fault)
        result = self._obey(parsed.command)
        if parsed.fault is None and result != "checked":
            self._desk.counters.commands[op, result] += 1

    def _weigh(self, command: Command) -> None:
        """Count a command about many names as several, up to half the burst: it is obeyed all the same."""
        settings, desk = self._desk.settings, self._desk
        more = weight(command, followed=self._client.subscriptions, most=settings.max_symbols)
        if more:
            self._session.bucket.spend(desk.clock.monotonic(), min(more, settings.command_burst // 2))

    def _fault(self, op: Op, fault: CommandFault) -> None:
        self._desk.counters.commands[op, fault.code] += 1
        self._session.outbox.say(Error(fault.id, fault.code, str(fault)))

    def _obey(self, command: Command) -> str:
        match command:
            case Ping():
                self._session.outbox.say(Pong(command.id))
            case Auth() if self._desk.reception.required:
                self._checking = True
                self._desk.spawn(self._authorize(command))
                return "checked"
            case Auth():
                return self._refuse(command, ErrorCode.AUTH_NOT_REQUIRED, "this gateway asks for no token")
            case _ if self._seat.entitlement is None:
                return self._refuse(command, ErrorCode.AUTH_REQUIRED, "show a token with auth first")
            case _:
                self._desk.feed.obey(self._client, command)
        return "ok"

    def _refuse(self, command: Command, code: ErrorCode, message: str) -> str:
        self._session.outbox.say(Error(command.id, code, message))
        return code

    # ------------------------------------------------------------------------------------------------ tokens

    async def _authorize(self, command: Auth) -> None:
        """Have a token checked; what the client says meanwhile waits."""
        newcomer = self._seat.entitlement is None
        try:
            why = await self._desk.reception.renew(self._caller, self._seat, command.token)
            if self._ending is None and not self._transport.is_closing():
                self._renewed(command, why, newcomer=newcomer)
        except Exception:  # noqa: BLE001 - a defect of ours ends one client, not the others
            _log.exception("session.failed", session=self._session.id)
            self._close(INTERNAL, Side.SERVER)

    def _renewed(self, command: Auth, why: Refusal | None, *, newcomer: bool) -> None:
        """Say what became of a token, and go on with what waited for it."""
        desk, session = self._desk, self._session
        now = desk.clock.monotonic()
        if why is None:
            self._entitled(command, now, newcomer=newcomer)
        elif newcomer:
            desk.reception.turned_away(self._caller, why)
            self._close(why.close, Side.SERVER)
            return
        else:
            desk.counters.commands[Op.AUTH, self._refuse(command, ErrorCode.TOKEN_REFUSED, why.text)] += 1
        self._checking = False
        self._read(b"", now)
        if self._ending is None and not (self._checking or session.blocked):
            self._transport.resume_reading()

    def _entitled(self, command: Auth, now: float, *, newcomer: bool) -> None:
        desk, session, entitlement = self._desk, self._session, self._seat.entitlement
        if entitlement is None or session.stay is None:
            return
        desk.counters.commands[Op.AUTH, "ok"] += 1
        if newcomer:
            desk.counters.handshakes[Handshake.OK] += 1
        desk.grant(session.stay, entitlement, now)
        desk.sessions.hurry(session)
        session.outbox.say(self._authorized(command.id))
        desk.feed.entitle(self._client, entitlement)

    def _authorized(self, command_id: int | None) -> Authorized:
        entitlement = self._seat.entitlement or NOTHING
        expires = None if entitlement.expires is None else round(entitlement.expires * 1e6)
        return Authorized(command_id, expires, self._desk.limits(entitlement))

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
        self._seat.leave()
        if self._seat.entitlement is None and side is Side.CLIENT:
            self._desk.counters.handshakes[Handshake.NO_TOKEN] += 1

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
            subject=self._seat.subject,
            seconds=round(desk.clock.monotonic() - session.opened, 3),
            symbols=ending.symbols,
            slow=session.slow_spells,
        )


class _Ending(NamedTuple):
    """How a connection ends, and how many symbols its client followed."""

    close: Close
    side: Side
    symbols: int
