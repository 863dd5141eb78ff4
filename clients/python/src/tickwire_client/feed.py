"""The feed: a connection that comes back, and the subscriptions that it serves.

Decides nothing about the protocol: `Conversation` says what to send and what a frame means.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from tickwire_client import connection, dataframe
from tickwire_client.account import Account
from tickwire_client.audience import Audience
from tickwire_client.backoff import Backoff
from tickwire_client.buffer import LIMIT
from tickwire_client.candle import CandleRejection, CandleUpdate
from tickwire_client.candleline import CandleLine
from tickwire_client.candlesubscription import CandleSubscription
from tickwire_client.closing import Ended, Ending
from tickwire_client.commands import shown
from tickwire_client.connection import Busy, Options
from tickwire_client.conversation import PING_S, Brought, Conversation, Malformed
from tickwire_client.cursor import Position
from tickwire_client.day import Day
from tickwire_client.errors import (
    FeedClosed,
    Refused,
    TickwireClientError,
    TokenRefused,
    not_followed,
)
from tickwire_client.events import (
    CONNECTED,
    DISCONNECTED,
    Event,
    Gap,
    Rejection,
    Status,
    TokenWanted,
)
from tickwire_client.follows import EVERYTHING
from tickwire_client.gallery import Gallery
from tickwire_client.hooks import Hooks
from tickwire_client.line import Line
from tickwire_client.offset import ClockOffset
from tickwire_client.recorder import Bounds, record
from tickwire_client.recording import Recording
from tickwire_client.request import check, check_candles
from tickwire_client.subscription import Subscription
from tickwire_client.tick import Tick

if TYPE_CHECKING:
    import pandas as pd

PATIENCE_S: Final = 0.1
"""Seconds that a full buffer holds back the socket before it conflates: a pause of one, not a delay of all."""
_log = logging.getLogger("tickwire_client")


class Feed:
    """Ticks of one client, over whatever connections it takes.  Made by `connect`."""

    def __init__(
        self, urls: Sequence[str], options: Options, hooks: Hooks, silence_s: float, ping_s: float = PING_S
    ) -> None:
        self._urls, self._options, self._hooks, self._silence_s = list(urls), options, hooks, silence_s
        self._conversation = Conversation(ping_s)
        self._audience = Audience()
        self._gallery = Gallery()
        self._nudge = asyncio.Event()
        self._heard = 0.0
        self._ended: TickwireClientError | None = None
        self._begun = asyncio.Event()
        self.reason = "not connected yet"
        """Why the last connection ended."""
        self._token: str | None = None
        """What this connection began with."""
        self._busy_until: dict[str, float] = {}
        self._renewing: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------------------------------- for its owner

    def subscribe(
        self,
        *symbols: str,
        max_rate: float | None = None,
        snapshot: bool = True,
        resume: Mapping[str, Position] | None = None,
        buffer: int = LIMIT,
        on_gap: Callable[[Gap], object] | None = None,
    ) -> Subscription:
        """Return the ticks of *symbols*, as they come; `"*"` alone: of the whole directory and whatever joins it.

        Args:
            symbols: names; several subscriptions may name the same one.
            max_rate: at most so many ticks per second and symbol, 0.1 to 100; None: every tick.
            snapshot: begin with the newest tick; False: after it.
            resume: positions to go on after, such as `Tick.position` of an earlier run.
            buffer: ticks that may wait for this subscription's reader before it conflates.
            on_gap: told of ticks of *symbols* that are not coming, as the hook of the same name is of all.

        Raises:
            BadRequest: a name is not spelled like a symbol, a rate is out of range, or a symbol of *resume* is
                not in *symbols* or is followed already.
            TickwireClientError: the feed has ended.
        """
        resume = resume or {}
        if self._ended is not None:
            raise self._ended
        check(symbols, max_rate, resume, self._conversation.follows.wants)
        line = Line(dict.fromkeys(symbols), max_rate, buffer, on_gap)
        self._audience.add(line)
        known = [s for s in symbols if self._conversation.follows.wants(s)]
        for symbol in symbols:
            self._want(symbol, snapshot=snapshot, start=resume.get(symbol))
        if snapshot:
            self._show(line, known)
        self._nudge.set()
        return Subscription(line, partial(_end, self))

    async def record(
        self,
        *symbols: str,
        seconds: float | None = None,
        ticks: int | None = None,
        max_rate: float | None = None,
        snapshot: bool = True,
    ) -> Recording:
        """Return what comes of *symbols* within *seconds*, or the first *ticks* of it, with its gaps.

        Without *ticks* it ends after `recording.ROWS` ticks, and is `full`.

        Raises:
            BadRequest: neither bound is given, or as `subscribe`.
            TickwireClientError: what ended the subscription.
        """
        bounds = Bounds(seconds, ticks)
        return await record(self, symbols, bounds, max_rate=max_rate, snapshot=snapshot)

    async def to_dataframe(
        self,
        *symbols: str,
        seconds: float | None = None,
        ticks: int | None = None,
        max_rate: float | None = None,
        decimal: bool = False,
    ) -> pd.DataFrame:
        """Record, and return the ticks as a frame of pandas; see `record` and `Recording.to_dataframe`.

        Raises:
            MissingExtra: pandas is not installed; said before anything is recorded.
        """
        dataframe.require()
        recording = await self.record(*symbols, seconds=seconds, ticks=ticks, max_rate=max_rate)
        return recording.to_dataframe(decimal=decimal)

    def candles(self, symbol: str, interval: str = "1m", history: int = 300) -> CandleSubscription:
        """Return the candles of *symbol* as updates; the first one has its newest *history* candles.

        Each update with `reset` replaces all that came before: so does the first one after a lost connection.

        Args:
            symbol: one name; its ticks need not be followed.
            interval: `"1s"` or `"1m"`.
            history: 0 to 500 candles.

        Raises:
            BadRequest: no gateway would accept it.
            TickwireClientError: the feed has ended.
        """
        if self._ended is not None:
            raise self._ended
        check_candles(symbol, interval, history)
        line = CandleLine((symbol, interval), history)
        self._conversation.candles.want(line.key, self._gallery.add(line))
        self._nudge.set()
        return CandleSubscription(line, partial(_end_candles, self))

    def account(self, symbol: str) -> Account:
        """Return what became of each tick of *symbol*, for all its subscriptions together."""
        follow = self._conversation.follows.get(symbol)
        return follow.account if follow else Account()

    def cursor(self, symbol: str) -> Position | None:
        """Return the last position of *symbol* that is accounted for."""
        follow = self._conversation.follows.get(symbol)
        return follow.resume if follow else None

    def last(self, symbol: str) -> Tick | None:
        """Return the newest tick of *symbol* that came, whether anybody has read it or not."""
        follow = self._conversation.follows.get(symbol)
        return follow.last if follow else None

    def day(self, symbol: str) -> Day | None:
        """Return the figures of *symbol*'s day; None: the gateway has not said any."""
        follow = self._conversation.follows.get(symbol)
        return follow.diary.show() if follow and follow.diary else None

    def state(self, symbol: str) -> str:
        """Return, for people, what *symbol* waits for, or `live`, `conflating`, `halted`."""
        follow = self._conversation.follows.get(symbol)
        return follow.state if follow else "not followed"

    @property
    def clock(self) -> ClockOffset:
        """How far the gateway's clock is ahead of ours."""
        return self._conversation.clock

    @property
    def status(self) -> Mapping[str, Status]:
        """The last status of each shard that the gateway spoke of on this connection."""
        return dict(self._conversation.shards)

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return self._conversation.welcome is not None

    @property
    def live(self) -> bool:
        """Whether a connection stands and no shard of its feed is known to be stale."""
        return self._conversation.live

    @property
    def violations(self) -> int:
        """Frames that broke the protocol's table of cursors."""
        return self._conversation.violations

    # ------------------------------------------------------------------------------------------- subscriptions

    def _want(self, symbol: str, *, snapshot: bool = True, start: Position | None = None) -> None:
        """Ask the gateway for the fastest rate that anybody wants of *symbol*; for none if nobody does."""
        follows = self._conversation.follows
        if self._audience.naming([symbol]):
            follows.want(symbol, self._audience.rate(symbol), snapshot=snapshot, start=start)
        else:
            follows.leave(symbol)

    def _show(self, line: Line, symbols: Iterable[str]) -> None:
        """A symbol that is followed already begins here with the newest tick that came."""
        names = list(self._conversation.follows.by_symbol) if EVERYTHING in line.symbols else symbols
        for symbol in names:
            follow = self._conversation.follows.get(symbol)
            if follow is not None and follow.wanted and follow.last is not None:
                line.buffer.offer(follow.last.as_snapshot(), time.monotonic())

    def _drop(self, line: Line, error: TickwireClientError | None = None) -> None:
        line.end(error)
        if self._audience.remove(line):
            for symbol in line.symbols:
                self._want(symbol)
            self._nudge.set()

    def _drop_candles(self, line: CandleLine, error: TickwireClientError | None = None) -> None:
        line.end(error)
        if self._gallery.remove(line):
            self._conversation.candles.leave(line.key)
            self._nudge.set()

    # ---------------------------------------------------------------------------------------------- connections

    async def run(self) -> None:
        """Be connected, until there is no gateway left that would not refuse."""
        backoff, turn = Backoff(), 0
        try:
            while True:
                url = self._urls[turn % len(self._urls)]
                try:
                    ended = await self._connection(url)
                except Refused as error:
                    self._urls.remove(url)
                    if not self._urls:
                        raise
                    ended = Ended(Ending.REFUSED, str(error), error.code or error.status)
                else:
                    turn += 1
                if self._conversation.fresh:
                    backoff.succeeded()
                wait = self._wait(backoff, self._urls[turn % len(self._urls)])
                self._conversation.disconnected()
                self.reason = ended.sentence
                _log.info("%s: %s; again in %.1f s", url, ended.sentence, wait)
                self._tell(Status(DISCONNECTED, reason=ended.sentence, how=ended.how, code=ended.code))
                await asyncio.sleep(wait)
        except TickwireClientError as error:
            self.end(error)
        except Exception as error:  # noqa: BLE001 - a callback's, or a defect: nobody may wait for ever because of it
            _log.exception("the feed ends")
            failure = TickwireClientError(f"the feed failed: {error!r}")
            failure.__cause__ = error
            self.end(failure)

    def _wait(self, backoff: Backoff, url: str) -> float:
        """Return the seconds until *url* is tried."""
        now = time.monotonic()
        return backoff.wait(self._conversation.reconnect_at - now, self._busy_until.pop(url, now) - now)

    def end(self, error: TickwireClientError) -> None:
        """Nothing more comes, because of *error*."""
        if self._ended is None:
            self._ended = error
            self._begun.set()
            for line in list(self._audience.lines):
                self._drop(line, None if isinstance(error, FeedClosed) else error)
            for watching in self._gallery.all():
                self._drop_candles(watching, None if isinstance(error, FeedClosed) else error)

    async def begun(self) -> None:
        """Return once a gateway has welcomed us.

        Raises:
            Refused: none will.
        """
        await self._begun.wait()
        if self._ended is not None:
            raise self._ended

    async def _connection(self, url: str) -> Ended:
        """Be connected to *url*; return how it ended."""
        self._conversation.connected()
        if self._hooks.on_attempt:
            self._hooks.on_attempt(url)
        try:
            self._token = await connection.current(self._options.token)
            async with connection.opened(url, self._options, self._token) as socket:
                return await self._converse(socket, url)
        except Malformed as error:
            raise Refused(f"{url} does not speak {connection.SUBPROTOCOL}: {error}") from error
        except Busy as error:
            self._busy_until[url] = time.monotonic() + error.after
            return connection.not_made(error)
        except (OSError, TimeoutError, WebSocketException) as error:
            return connection.not_made(error)

    async def _converse(self, socket: ClientConnection, url: str) -> Ended:
        if self._hooks.on_certificate and (certificate := connection.certificate(socket)):
            self._hooks.on_certificate(certificate)
        if self._hooks.on_connection:
            self._hooks.on_connection(url)
        self._heard = time.monotonic()
        speaking = asyncio.create_task(self._speak(socket), name="tickwire_client:speak")
        speaking.add_done_callback(partial(_aborted, socket))
        try:
            while True:
                text = await socket.recv(decode=True)
                await self._take(text)
        except ConnectionClosed as error:
            if speaking.done() and (failure := speaking.exception()) is not None:
                raise failure from None
            if time.monotonic() - self._heard >= self._silence_s:
                return Ended(Ending.SILENT, f"nothing came for {self._silence_s:g} s")
            return connection.ending(error, renewable=callable(self._options.token))
        finally:
            speaking.cancel()

    async def _take(self, text: str) -> None:
        now = self._heard = time.monotonic()
        if self._hooks.on_frame:
            self._hooks.on_frame(text)
        brought = self._conversation.take(text, now, time.time_ns() // 1000)
        ticks = [item for item in brought if type(item) is Tick]
        if len(ticks) < len(brought) or not ticks:
            self._all_happened(item for item in brought if not isinstance(item, Tick))
            self._nudge.set()
        for line in self._audience.deliver(ticks, now):
            if line.buffer.full:
                await line.room(PATIENCE_S)

    async def _speak(self, socket: ClientConnection) -> None:
        """Send what is to be said, and end the connection once nothing was heard for too long."""
        with suppress(ConnectionClosed):  # the receiving side says why
            while True:
                now = time.monotonic()
                if now - self._heard >= self._silence_s:
                    socket.transport.abort()
                    return
                self._nudge.clear()
                texts, rejected = self._conversation.commands(now, time.time_ns() // 1000)
                self._all_happened(rejected)
                for text in texts:
                    if self._hooks.on_command:
                        self._hooks.on_command(shown(text))
                    await socket.send(text)
                due = min(self._conversation.due(now), self._heard + self._silence_s)
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, due - time.monotonic())):
                        await self._nudge.wait()

    # ---------------------------------------------------------------------------------------------- what happens

    def _all_happened(self, events: Iterable[Brought]) -> None:
        rejected: list[Rejection] = []
        for event in events:
            if isinstance(event, Rejection):
                rejected.append(event)
            elif isinstance(event, CandleUpdate):
                self._gallery.show(event)
            elif isinstance(event, CandleRejection):
                for line in self._gallery.watching((event.symbol, event.interval)):
                    self._drop_candles(line, not_followed([event.symbol], event.reason))
            elif isinstance(event, TokenWanted):
                self._show_token(required=event.required)
            elif not isinstance(event, Tick):
                self._tell(event)
        self._rejected(rejected)

    def _rejected(self, rejected: Sequence[Rejection]) -> None:
        """End each subscription that names one of them, with all that it names for the first one's reason."""
        for line in self._audience.naming([rejection.symbol for rejection in rejected]):
            ours = [rejection for rejection in rejected if rejection.symbol in line.symbols]
            names = [rejection.symbol for rejection in ours if rejection.reason == ours[0].reason]
            self._drop(line, not_followed(names, ours[0].reason))

    def _show_token(self, *, required: bool) -> None:
        if required and self._token is None:
            raise TokenRefused("the gateway asks for a token, and none was given")
        if required:  # somebody between us dropped the header
            self._conversation.authorize(str(self._token))
        elif callable(self._options.token):
            self._renewing = {asyncio.create_task(self._renew(), name="tickwire_client:token")}

    async def _renew(self) -> None:
        """Show the gateway a new token."""
        try:
            token = await connection.current(self._options.token)
        except (
            ConnectionError,
            TokenRefused,
        ) as error:  # a close with 4401 follows: the next connection asks again
            _log.warning("the token was not renewed: %s", error)
            return
        if token:
            self._conversation.authorize(token)
            self._nudge.set()

    def _tell(self, event: Event) -> None:
        if isinstance(event, Status) and event.feed == CONNECTED:
            self._begun.set()
        if isinstance(event, Gap):
            self._audience.missed(event)
        self._hooks.tell(event)


def _aborted(socket: ClientConnection, speaking: asyncio.Task[None]) -> None:
    """Nobody speaks any more, though the connection may stand: it ends, so that whoever reads hears of it."""
    if not speaking.cancelled():
        socket.transport.abort()


def _end(feed: Feed, line: Line) -> None:
    """End a subscription that its owner closed, or lost."""
    line.buffer.discard()
    feed._drop(line)  # noqa: SLF001 - this module's own


def _end_candles(feed: Feed, line: CandleLine) -> None:
    """End a subscription to candles that its owner closed, or lost."""
    line.discard()
    feed._drop_candles(line)  # noqa: SLF001 - this module's own
