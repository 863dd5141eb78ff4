"""The feed: carries the hub's intents to the broker and to history, and their events to the hub.

It decides nothing: every decision is the hub's.  What it adds is the loop: tasks with a bound, one timer, and the
pass in which live ticks reach the outboxes and are written out at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.admission.limits import TokenBucket
from gateway.candles.tally import CandleStanding, CandleTally
from gateway.client import Client
from gateway.commands import FeedCommand, List, Subscribe, SubscribeCandles, Unsubscribe, UnsubscribeCandles
from gateway.frames import Status
from gateway.glance import Glance
from gateway.hub import Hub
from gateway.intents import Ask, AskCandles, Close, Intent, Open, Probe, Rebind
from gateway.line import IDLE_GRACE, Stage
from gateway.offset import ClockOffset
from gateway.outbox import Outbox
from gateway.standing import Standing, standing
from gateway.tally import Tally
from gateway.turnstile import Passage, Transition, Turnstile
from services.broker.history import History
from services.broker.ports import LostReason, TickSource
from services.errors import BrokerUnavailable, HistoryUnavailable, MalformedMessage
from services.market.control import Control, Heartbeat
from services.market.directory import Directory
from services.market.symbol import Symbol
from services.market.wire import TickMessage
from services.runtime.clock import Clock

IN_FLIGHT: Final = 64
"""Most transitions of lines that the broker is asked for at once."""

LEAST_REST: Final = 0.001
"""Seconds of rest for which it is worth to stop reading: loops count timers in milliseconds."""

_log = structlog.get_logger("tickwire.feed")


@dataclass(frozen=True, slots=True)
class FeedStats:
    """A snapshot for metrics; counters run from the start of the process."""

    connected: bool
    lost: Mapping[LostReason, int]
    """Ended connections and failed attempts, by reason."""
    messages: int
    ticks: int
    malformed: int
    unfollowed: int
    """Symbols whose flow the broker ended."""
    clients: int
    followers: int
    lines: Mapping[Stage, int]
    symbols: int
    """Symbols in the directory."""
    heartbeat_age: float | None
    """Seconds since the last heartbeat of any shard; None: none yet."""
    intents: int
    """Transitions and questions under way or waiting for their turn."""
    passage: Passage
    tally: Tally
    standing: Standing
    clock_offset: float | None
    """Seconds; see `ClockOffset`.  None: no heartbeat came of late."""
    candles: CandleStanding = field(default_factory=CandleStanding)
    candle_tally: CandleTally = field(default_factory=CandleTally)


class Feed:
    """One gateway's feed.

    *deliver* is called after each pass of live ticks, to write out every touched outbox: with the messages, when
    they came (microseconds since 1970), and when the work on them began (seconds of the clock); it returns how
    many seconds from now on nothing would be written anyway.  *replay_ticks*: ticks of the past that one client
    may ask for in a minute; None: any number.  *binding* paces what the broker is asked for.
    """

    def __init__(
        self,
        source: TickSource,
        history: History,
        *,
        clock: Clock,
        deliver: Callable[[Sequence[TickMessage], int, float], float],
        idle_grace: float = IDLE_GRACE,
        replay_ticks: int | None = None,
        binding: TokenBucket | None = None,
    ) -> None:
        self._source = source
        self._history = history
        self._clock = clock
        self._deliver = deliver
        self._hub = Hub(history=history.present, idle_grace=idle_grace, replay_ticks=replay_ticks)
        self._tasks: set[asyncio.Task[None]] = set()
        self._turnstile = Turnstile(IN_FLIGHT, binding)
        self._passing: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._ever_connected = False
        self._heard_at: float | None = None
        self._offset = ClockOffset()
        self._lost = dict.fromkeys(LostReason, 0)
        self._messages = self._ticks = self._malformed = self._unfollowed = 0
        self._malformed_logged = False

    # ------------------------------------------------------------------------------------------- what sessions see

    @property
    def directory(self) -> Directory:
        """What is known of the symbols."""
        return self._hub.directory

    @property
    def directory_due(self) -> bool:
        """Whether a directory that may name more is still to come."""
        return self._hub.directory_due(self._clock.monotonic())

    def glance(self, symbol: Symbol) -> Glance:
        """What is known here of *symbol* at this moment."""
        return self._hub.lines.glance(symbol)

    @property
    def ready(self) -> bool:
        """Whether a broker was connected, and a heartbeat seen, since the start."""
        return self._ever_connected and self._heard_at is not None

    @property
    def status(self) -> Mapping[str, Status]:
        """The newest status of each shard."""
        return self._hub.status

    def join(self, outbox: Outbox, *, max_symbols: int, entitlement: Entitlement = ANYBODY) -> Client:
        """Take a client in."""
        return self._hub.join(outbox, max_symbols=max_symbols, entitlement=entitlement)

    def entitle(self, client: Client, entitlement: Entitlement) -> None:
        """Let *client* do what *entitlement* says from now on."""
        self._hub.entitle(client, entitlement, self._clock.monotonic())
        self._settle()

    def leave(self, client: Client) -> None:
        """Let a client go."""
        self._hub.leave(client, self._clock.monotonic())
        self._settle()

    def obey(self, client: Client, command: FeedCommand) -> None:
        """Carry out a command; answers arrive in the client's outbox, at once or later."""
        now = self._clock.monotonic()
        match command:
            case Subscribe() | SubscribeCandles():
                self._hub.subscribe(client, command, now)
            case Unsubscribe():
                self._hub.unsubscribe(client, command, now)
            case UnsubscribeCandles():
                self._hub.unsubscribe_candles(client, command, now)
            case List():
                self._hub.enumerate(client, command)
        self._settle()

    def slow(self, client: Client) -> None:
        """More than 64 KiB or 500 ms wait unsent for this client: it conflates."""
        self._hub.slow(client)

    def drained(self, client: Client) -> None:
        """This client's socket has taken everything."""
        self._hub.drained(client, self._clock.monotonic())
        self._settle()

    def stats(self) -> FeedStats:
        """Return what metrics show of the feed."""
        stages = dict.fromkeys(Stage, 0)
        followers = 0
        for line in self._hub.lines:
            stages[line.stage] += 1
            followers += len(line.recovery.followers)
        candles = self._hub.charts.standing()
        age = None if self._heard_at is None else self._clock.monotonic() - self._heard_at
        return FeedStats(
            connected=self._hub.lines.connected,
            lost=dict(self._lost),
            messages=self._messages,
            ticks=self._ticks,
            malformed=self._malformed,
            unfollowed=self._unfollowed,
            clients=len(self._hub.clients),
            followers=followers - candles.followers,
            lines=stages,
            symbols=len(self._hub.directory),
            heartbeat_age=age,
            intents=len(self._tasks) + len(self._turnstile),
            passage=self._turnstile.passage,
            tally=self._hub.lines.tally,
            standing=standing(self._hub.clients, self._hub.lines),
            candles=candles,
            candle_tally=self._hub.charts.tally,
            clock_offset=self._offset.seconds(self._clock.monotonic()),
        )

    # ------------------------------------------------------------------------------------------------- running

    async def run(self) -> None:
        """Feed the hub until cancelled; then end the connections and every task."""
        try:
            async with asyncio.TaskGroup() as connections:
                connections.create_task(self._history.run(), name="history")
                connections.create_task(self._source.run(self), name="source")
        finally:
            for timer in (self._timer, self._passing):
                if timer is not None:
                    timer.cancel()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _settle(self) -> None:
        """Carry out what the hub intends, and set the timer to its next deadline."""
        if self._history.present is not self._hub.lines.history:
            self._note_history()
        intents = self._hub.intents()
        if intents or self._turnstile:
            self._admit(intents, self._clock.monotonic())
        at = self._hub.next_due
        if at is None or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        delay = max(0.0, at - self._clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self._due)

    def _start(self, intent: Intent) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(intent), name=f"feed:{intent}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _admit(self, intents: Sequence[Intent], now: float) -> None:
        """Start questions, and the transitions whose turn it is; come again when the next one's may be."""
        for intent in intents:
            if isinstance(intent, Ask | AskCandles | Probe):
                self._start(intent)
            else:
                self._turnstile.put(intent, now)
        while (transition := self._turnstile.take(now, self._hub.lines.begin)) is not None:
            self._start(transition)
        wait = self._turnstile.wait(now)
        if wait is not None and self._passing is None:
            self._passing = asyncio.get_running_loop().call_later(wait, self._pass)

    def _pass(self) -> None:
        self._passing = None
        self._settle()

    def _due(self) -> None:
        self._timer = None
        self._hub.due(self._clock.monotonic())
        self._settle()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("feed.intent_failed", task=task.get_name(), exc_info=task.exception())

    def _note_history(self) -> None:
        present = self._history.present
        now = self._clock.monotonic()
        self._hub.lines.tell_history(present, now)
        self._hub.charts.tell_history(present, now)
        _log.warning("feed.history_returned" if present else "feed.history_absent")

    async def _carry_out(self, intent: Intent) -> None:
        match intent:
            case Ask():
                await self._ask(intent)
            case AskCandles():
                await self._ask_candles(intent)
            case Probe(shard):
                alive = await self._source.probe()
                _log.warning("feed.stale", shard=shard, broker="answers" if alive else "silent")
            case _:
                try:
                    await self._transit(intent)
                finally:
                    self._turnstile.done()
        self._settle()

    async def _transit(self, transition: Transition) -> None:
        match transition:
            case Open():
                await self._open(transition)
            case Close():
                await self._close(transition)
            case Rebind(symbol):
                await self._rebind(symbol)

    async def _open(self, intent: Open) -> None:
        try:
            await self._source.follow(intent.symbol)
        except BrokerUnavailable:
            self._hub.lines.refused(intent, self._clock.monotonic())
        else:
            self._hub.lines.opened(intent, self._clock.monotonic())

    async def _close(self, intent: Close) -> None:
        with contextlib.suppress(BrokerUnavailable):  # then the broker keeps nothing either
            await self._source.unfollow(intent.symbol)
        self._hub.lines.closed(intent, self._clock.monotonic())

    async def _rebind(self, symbol: Symbol) -> None:
        try:
            await self._source.rebind(symbol)
        except BrokerUnavailable:
            return  # the connection's end opens every line anew
        _log.warning("feed.rebound", symbol=symbol)

    async def _ask(self, intent: Ask) -> None:
        try:
            answer = await self._history.ask(intent.question)
        except HistoryUnavailable:
            self._hub.lines.unanswered(intent.question, self._clock.monotonic())
        else:
            self._hub.lines.answer(answer, self._clock.monotonic())

    async def _ask_candles(self, intent: AskCandles) -> None:
        charts = self._hub.charts
        try:
            answer = await self._history.candles(intent.question)
        except HistoryUnavailable:
            charts.unanswered(intent.question, self._clock.monotonic())
        else:
            charts.answer(answer, self._clock.monotonic())

    # --------------------------------------------------------------------------------- what the source tells us

    def on_connected(self) -> None:
        """A connection stands."""
        self._ever_connected = True
        self._hub.lines.connect(self._clock.monotonic())
        self._settle()

    def on_lost(self, reason: LostReason) -> None:
        """The connection, or an attempt at one, is gone."""
        self._lost[reason] += 1
        self._hub.lines.disconnect(self._clock.monotonic())
        self._settle()

    def on_ticks(self, messages: Sequence[TickMessage]) -> None:
        """One pass: from the broker's bytes to every client's socket, without an await."""
        received, now = self._clock.wall_us(), self._clock.monotonic()
        self._messages += len(messages)
        self._ticks += sum(len(message.lines) for message in messages)
        self._hub.accept(messages, now)
        rest = self._deliver(messages, received, now)
        if rest >= LEAST_REST:
            self._source.rest(rest)
        self._settle()

    def on_control(self, message: Control) -> None:
        """A heartbeat or a part of the directory."""
        now = self._clock.monotonic()
        if isinstance(message, Heartbeat):
            self._heard_at = now
            self._offset.heard(message.shard, self._clock.wall_us() - message.time, now)
            self._hub.heard(message, now)
        else:
            self._hub.learn(message, now)
        self._settle()

    def on_malformed(self, error: MalformedMessage) -> None:
        """A message was skipped; the first one is logged, all are counted."""
        self._malformed += 1
        if not self._malformed_logged:
            self._malformed_logged = True
            _log.warning("feed.malformed", error=str(error))

    def on_unfollowed(self, symbol: Symbol) -> None:
        """The broker ended one symbol's flow."""
        self._unfollowed += 1
        self._hub.lines.unfollowed(symbol, self._clock.monotonic())
        self._settle()
