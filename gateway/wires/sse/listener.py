"""One stream's client, from its request to the end: it says nothing, and hears what its outbox holds."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Final

import structlog

from gateway.admission.doorkeeper import Caller, Seat
from gateway.admission.refusal import Handshake
from gateway.admission.stay import Turn
from gateway.closing import GONE, INTERNAL, POLICY, RESTART, TOKEN_EXPIRED, TOKEN_REFUSED, Close, Side, label
from gateway.commands import Subscribe
from gateway.frames import Reconnect
from gateway.wires.native.connection import NOTHING
from gateway.wires.problem import Problem
from gateway.wires.sse import speech
from gateway.wires.sse.desk import StreamDesk
from gateway.wires.sse.eventid import Positions
from gateway.wires.sse.opening import Opening, Resumed
from gateway.wires.sse.session import StreamSession
from gateway.wires.sse.speech import Speech
from gateway.wires.sse.wish import Wish
from services.market.symbol import Symbol

LOOK_S: Final = 0.02
"""Seconds between two looks at a stream that is being opened: that history has nothing more to say is no event."""
RETRY_MS: Final = 1_000
"""Least milliseconds after which a browser comes back by itself; each stream is told up to three times as many."""
RETRIES: Final = 3
"""Most times `RETRY_MS`: those whom a dead gateway has lost come back over 2 s, not at one moment."""
UNASKED_BYTES: Final = 8_192
"""Bytes that a client may send behind its request: there is nothing to say, and more of it ends the stream."""
FAREWELL_S: Final = 2.0
"""Seconds that a client has to take the last bytes of its stream."""

_WORDS: Final = {
    TOKEN_EXPIRED: ("token_expired", "the token has expired: come back with a new one"),
    TOKEN_REFUSED: ("token_refused", "the token was called back"),
    INTERNAL: ("internal", "a defect of the gateway ended this stream"),
}
"""What is said before the end, where that is not `reconnect`."""
_log = structlog.get_logger("tickwire.session")


class Listener(asyncio.Protocol):
    """The client of one stream.  First `opened`, then either `begin` or `dismiss`.

    *transport* is still aiohttp's until `begin`, which makes this its protocol.
    """

    def __init__(
        self,
        desk: StreamDesk,
        transport: asyncio.Transport,
        caller: Caller,
        seat: Seat,
        wish: Wish,
        *,
        chunked: bool,
    ) -> None:
        self._desk, self._transport, self._caller, self._seat = desk, transport, caller, seat
        self._wish = wish
        self._speech = Speech(wish.symbols, wish.positions, chunked=chunked)
        self._news = asyncio.Event()
        self._asked = self._unasked = 0
        self._ending: Close | None = None
        self._side = Side.SERVER
        self._symbols = 0
        self._begun = False
        self._timer: asyncio.TimerHandle | None = None
        now = desk.clock.monotonic()
        self._session = session = StreamSession(
            secrets.token_hex(8),
            transport,
            self._speech,
            desk,
            interrupt=self._interrupted,
            heard=self._news.set,
            said=self._said,
            now=now,
            seat=seat,
        )
        desk.sessions.add(session)
        self._client = desk.feed.join(
            session.outbox, max_symbols=desk.settings.max_symbols, entitlement=seat.entitlement or NOTHING
        )
        session.follow(self)
        for status in desk.feed.status.values():
            if not status.live:
                session.outbox.say(status)
        self._ask(wish.symbols, wish.positions)

    # ---------------------------------------------------------------------------------------------- the opening

    async def opened(self) -> Resumed | Problem | Close:
        """Return what the head of the answer has to say, or why the connection was ended meanwhile.

        Takes at most `OPENING_S`.
        """
        clock = self._desk.clock
        opening = Opening(self._wish, clock.monotonic())
        while True:
            if self._session.closing is not None:
                return self._session.closing
            if self._transport.is_closing():
                return GONE
            self._news.clear()
            found = opening.look(self._session.outbox.entries, self._client.stands, clock.monotonic())
            if found is not None:
                self._desk.figures.late += opening.late
                return found
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            except TimeoutError:
                pass

    def begin(self, transport: asyncio.Transport, resumed: Resumed) -> None:
        """The head is written: from now on *transport* is this client's own."""
        desk, session = self._desk, self._session
        self._transport, self._begun = transport, True
        transport.set_protocol(self)
        session.adopt(transport)
        desk.figures.connections += 1
        desk.figures.resumed[resumed] += 1
        desk.counters.handshakes[Handshake.OK] += 1
        _log.info(
            "session.opened",
            session=session.id,
            peer=self._caller.address,
            origin=self._caller.origin,
            subject=self._seat.subject,
            wire="sse",
            resumed=resumed.value,
        )
        session.begin(speech.retry(retry_ms()), desk.clock.monotonic(), desk.clock.wall_us())

    def dismiss(self) -> None:
        """There will be no stream: forget the client."""
        if self._ending is None:
            self._leave(GONE, Side.SERVER)
            self._session.lost()
            self._desk.sessions.remove(self._session)

    # -------------------------------------------------------------------------------- what the session reports

    def slow(self) -> None:
        """Conflate from now on."""
        self._desk.counters.slow += 1
        self._desk.feed.slow(self._client)

    def drained(self) -> None:
        """Go on: everything was taken."""
        self._desk.feed.drained(self._client)

    def timed(self, turn: Turn) -> None:
        """Do what the connection's time asks for.  Nobody is warned: a token cannot be renewed on this wire."""
        match turn:
            case Turn.EXPIRED:
                self._close(TOKEN_EXPIRED)
            case Turn.OLD:
                self._session.outbox.say(Reconnect(0, "age"))
                self._close(RESTART)
            case _:
                pass

    # --------------------------------------------------------------------------------- what the transport says

    def data_received(self, data: bytes) -> None:
        """Overhear it."""
        self._unasked += len(data)
        if self._unasked > UNASKED_BYTES:
            self._close(POLICY)

    def pause_writing(self) -> None:
        """The socket is full."""
        self._session.pause()

    def resume_writing(self) -> None:
        """It has taken everything."""
        if self._ending is None:
            self._session.resume()
        else:
            self._session.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is about to be closed."""
        del exc
        session, desk = self._session, self._desk
        if self._ending is None:
            close = session.closing  # set where the gateway itself tore the connection down
            self._leave(close or GONE, Side.SERVER if close else Side.CLIENT)
        if self._timer is not None:
            self._timer.cancel()
        session.lost()
        desk.sessions.remove(session)
        desk.figures.connections -= 1
        ending = self._ending or GONE
        desk.counters.closes[ending, self._side] += 1
        _log.info(
            "session.closed",
            session=session.id,
            code=label(ending),
            reason=ending.reason,
            side=self._side.value,
            subject=self._seat.subject,
            seconds=round(desk.clock.monotonic() - session.opened, 3),
            symbols=self._symbols,
            slow=session.slow_spells,
        )

    # ------------------------------------------------------------------------------------------- what follows

    def _ask(self, symbols: tuple[Symbol, ...], positions: Positions) -> None:
        self._asked += 1
        wish = self._wish
        self._desk.feed.obey(
            self._client, Subscribe(self._asked, symbols, wish.max_rate, wish.snapshot, positions)
        )

    def _said(self) -> None:
        """Something was written: see, outside of this pass, whether the stream has to go on otherwise."""
        if self._speech.leaving or self._speech.resettled:
            asyncio.get_running_loop().call_soon(self._reconsider)

    def _reconsider(self) -> None:
        words = self._speech
        words.resettled = False
        if self._ending is not None:
            return
        if words.leaving:
            self._close(RESTART)
        elif words.unavailable:
            symbols, words.unavailable = tuple(words.unavailable), []
            self._desk.figures.put_off += len(symbols)
            self._ask(symbols, {s: p for s in symbols if (p := words.places.position(s)) is not None})
        elif not self._client.names:
            self._close(POLICY)

    # ---------------------------------------------------------------------------------------------- the end

    def _interrupted(self) -> None:
        self._close(self._session.closing or INTERNAL)

    def _close(self, close: Close) -> None:
        """End the stream as HTTP does: what waits, perhaps why, the last chunk."""
        if self._ending is not None or self._transport.is_closing():
            return
        session, clock = self._session, self._desk.clock
        if not self._begun:
            session.closing = close  # `opened` finds it
            self._news.set()
            return
        self._leave(close, Side.SERVER)
        session.rested(clock.monotonic(), clock.wall_us())
        if close in _WORDS:
            code, message = _WORDS[close]
            session.say(speech.error(code, message), clock.monotonic())
        session.write(self._speech.end)
        if self._transport.get_write_buffer_size():
            self._timer = asyncio.get_running_loop().call_later(FAREWELL_S, session.finish)
        else:
            session.finish()

    def _leave(self, close: Close, side: Side) -> None:
        """Let the feed forget the client."""
        self._ending, self._side, self._symbols = close, side, self._client.subscriptions
        self._session.closing = close
        self._session.follow(None)
        self._desk.feed.leave(self._client)
        self._seat.leave()


def retry_ms() -> int:
    """Return after how many milliseconds one client shall come back."""
    return round(RETRY_MS * random.uniform(1, RETRIES))  # noqa: S311 - jitter
