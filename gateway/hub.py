"""The hub: who follows what on this gateway.  Pure.

Commands and the feed's events come in; frames go to outboxes, and what must be asked of the broker and of history
goes out as intents, which `gateway.feed` carries out and answers.  Time is an argument; `due` does what the clock
asks for and `next_due` says when that is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import Final

from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.admission.limits import TokenBucket
from gateway.agenda import Agenda
from gateway.candles.charts import Charts
from gateway.client import Client
from gateway.commands import (
    EVERYTHING,
    List,
    Subscribe,
    SubscribeCandles,
    Unsubscribe,
    UnsubscribeCandles,
    Wish,
)
from gateway.follower import Follower
from gateway.frames import (
    Accepted,
    Error,
    Rejection,
    Session,
    Status,
    Subscribed,
    Subscription,
    Subscriptions,
    Today,
    Unsubscribed,
)
from gateway.intents import Intent, Probe
from gateway.line import IDLE_GRACE, Line
from gateway.lines import Lines
from gateway.outbox import Outbox
from gateway.request import GATHER, Request
from services.market.candle import STEPS
from services.market.control import Heartbeat
from services.market.day import Day
from services.market.directory import Directory, DirectoryPart, Instrument
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import TickMessage

STALE: Final = 3.0
"""Seconds without a shard's heartbeat after which its feed is stale (`docs/architecture.md`)."""


class Hub:
    """Clients, lines and the directory of one gateway."""

    def __init__(self, *, history: bool, idle_grace: float = IDLE_GRACE, replay_ticks: int | None = None) -> None:
        self.directory = Directory()
        self.status: dict[str, Status] = {}
        """The newest status of each shard."""
        self.clients: dict[Client, None] = {}
        self._intents: list[Intent] = []
        self._agenda = Agenda()
        self.lines = Lines(
            self._agenda,
            self._intents,
            self._answer_all,
            self._say_figures,
            history=history,
            idle_grace=idle_grace,
        )
        self._heard: dict[str, tuple[float, Heartbeat]] = {}
        self._serials = count()
        self.charts = Charts(self.lines, self._agenda, self._intents, self._serials)
        self._replay_ticks = replay_ticks

    # ------------------------------------------------------------------------------------------- the caller's side

    def intents(self) -> list[Intent]:
        """Take what must be asked of the broker and of history."""
        intents = list(self._intents)
        self._intents.clear()
        return intents

    @property
    def next_due(self) -> float | None:
        """When `due` has something to do; None: only after another call."""
        return self._agenda.next

    def due(self, now: float) -> None:
        """Do what the clock asks for."""
        self._agenda.due(now)

    # ---------------------------------------------------------------------------------------------------- commands

    def join(self, outbox: Outbox, *, max_symbols: int, entitlement: Entitlement = ANYBODY) -> Client:
        """Take a client in."""
        client = Client(outbox, max_symbols, entitlement)
        self.clients[client] = None
        return client

    def leave(self, client: Client, now: float) -> None:
        """Let a client go, and everything that it waits for."""
        self.clients.pop(client, None)
        for request in list(client.requests):
            self._drop(request, now)
        for symbol in list(client.followers):
            self._unfollow(client, symbol, now)
        self.charts.leave(client, now)

    def subscribe(self, client: Client, command: Wish, now: float) -> None:
        """Follow what *command* names; `subscribed` is said once the broker has bound it."""
        symbols = command.symbols
        if symbols == (EVERYTHING,) and isinstance(command, Subscribe):
            client.everything = command
            symbols = tuple(s for s in self.directory if client.rejection(s) is None)
        if len(client.names.union(symbols)) > client.max_symbols:
            client.everything = None if client.everything is command else client.everything
            self._too_many(client, command)
            return
        self._request(client, command, symbols, now)

    def _request(self, client: Client, command: Wish, symbols: Iterable[Symbol], now: float) -> None:
        request = Request(client, command, symbols, now)
        client.requests[request] = None
        for symbol in list(request.open):
            self._place(request, symbol, now)
        self._answer_ready(request, now)
        if not request.answered:
            self._look_later(client, request.deadline)

    def _look_later(self, client: Client, at: float) -> None:
        if client.look_at is None:
            client.look_at = at
            self._agenda.at(at, lambda later: self._look(client, later))

    def _look(self, client: Client, now: float) -> None:
        """Reject what *client* has waited for too long; its oldest request is the next one to be late."""
        client.look_at = None
        for request in list(client.requests):
            if now >= request.deadline and request in client.requests:
                self._expire(request, now)
        for oldest in client.requests:
            self._look_later(client, oldest.deadline)
            break

    def unsubscribe(self, client: Client, command: Unsubscribe, now: float) -> None:
        """Follow *command*'s symbols no longer; what is pending of them is cancelled."""
        symbols = command.symbols
        if symbols == (EVERYTHING,):
            client.everything = None
            asked = (s for request in client.requests if request.step is None for s in request.names)
            symbols = tuple(dict.fromkeys([*asked, *client.followers]))
        for symbol in symbols:
            self._cancel(client, symbol, None, now)
            if symbol in client.followers:
                self._unfollow(client, symbol, now)
        client.outbox.say(Unsubscribed(command.id, symbols, None))

    def unsubscribe_candles(self, client: Client, command: UnsubscribeCandles, now: float) -> None:
        """Follow the candles of *command*'s symbols no longer."""
        symbols, step = command.symbols, command.step
        if symbols == (EVERYTHING,):
            asked = (s for request in client.requests if request.step == step for s in request.names)
            symbols = tuple(dict.fromkeys([*(s for s, of in client.candles if of == step), *asked]))
        for symbol in symbols:
            self._cancel(client, symbol, step, now)
            self.charts.unfollow(client, symbol, step, now)
        client.outbox.say(Unsubscribed(command.id, symbols, None, step))

    def _cancel(self, client: Client, symbol: Symbol, step: int | None, now: float) -> None:
        """Answer what is pending of a symbol's candles with *step*, or (None) of its ticks."""
        for request in list(client.requests):
            if request.asks(symbol, step):
                request.reject(symbol, Rejection.CANCELLED)
                self._forsake(request, symbol, now)
                self._answer(request, now)

    def enumerate(self, client: Client, command: List) -> None:
        """Answer `list`."""
        lines = {symbol: Subscription(f.cursor, f.max_rate, f.state) for symbol, f in client.followers.items()}
        client.outbox.say(Subscriptions(command.id, lines, self.charts.followed(client)))

    def slow(self, client: Client) -> None:
        """The client does not keep up: it conflates until it has drained."""
        for symbol, follower in client.followers.items():
            self.lines[symbol].recovery.slow(follower)

    def drained(self, client: Client, now: float) -> None:
        """The client has taken everything."""
        for symbol, follower in client.followers.items():
            line = self.lines[symbol]
            line.recovery.drained(follower, now)
            self.lines.look_after(line, now)
        self.charts.drained(client, now)

    def entitle(self, client: Client, entitlement: Entitlement, now: float) -> None:
        """Let *client* do what *entitlement* says from now on; what it may not follow any more is ended, and said.

        Symbols beyond a smaller number are ended from the newest on.
        """
        client.entitlement = entitlement
        for request in list(client.requests):
            self._restrict(request, now)
        followed = dict.fromkeys([*client.followers, *(symbol for symbol, _ in client.candles)])
        kept = [symbol for symbol in followed if client.rejection(symbol) is None][: client.max_symbols]
        dropped = client.followers.keys() - kept
        for symbol in dropped:
            self._unfollow(client, symbol, now)
        if dropped:
            client.outbox.say(Unsubscribed(None, tuple(sorted(dropped)), Rejection.NOT_ENTITLED.value))
        self._end_candles(client, {s for s, _ in client.candles} - set(kept), Rejection.NOT_ENTITLED.value, now)
        for symbol, follower in client.followers.items():
            line, rate = self.lines[symbol], client.rate(follower.max_rate)
            if rate != follower.max_rate:
                line.recovery.pace(follower, rate, now)
                self.lines.look_after(line, now)
        self._join_everything(client, self.directory, now)

    def _end_candles(self, client: Client, symbols: Collection[Symbol], reason: str, now: float) -> None:
        """End all candles of *symbols*, and say so."""
        for step in STEPS:
            gone = tuple(s for s in sorted(symbols) if self.charts.unfollow(client, s, step, now))
            if gone:
                client.outbox.say(Unsubscribed(None, gone, reason, step))

    def _restrict(self, request: Request, now: float) -> None:
        """Reject what a request asks for and its client may not follow."""
        for symbol in (*request.open, *request.ready):
            rejection = request.client.rejection(symbol)
            if rejection is not None and not request.follows(symbol):
                request.reject(symbol, rejection)
                self._forsake(request, symbol, now)
        self._answer_ready(request, now)

    # ---------------------------------------------------------------------------------------- a request's progress

    def _place(self, request: Request, symbol: Symbol, now: float) -> None:
        """Find out what a name in a request waits for: the directory, its line, or nothing."""
        rejection = request.client.rejection(symbol)
        if request.follows(symbol):
            request.bound(symbol)
        elif rejection is not None:
            request.reject(symbol, rejection)
        elif symbol not in self.directory and self.directory_due(now):
            return  # placed again when the directory arrives, rejected at the deadline
        elif symbol not in self.directory:
            request.reject(symbol, Rejection.UNKNOWN_SYMBOL)
        else:
            line = self.lines.provide(symbol, now)
            line.waiting[request] = None
            self.lines.tend(line, now)
            if line.bound:
                request.bound(symbol)

    def _answer_all(self, requests: Sequence[Request], now: float) -> None:
        for request in requests:
            self._answer_ready(request, now)

    def _answer_ready(self, request: Request, now: float) -> None:
        """Answer what can be answered, or gather a little first."""
        if request.full:
            self._answer(request, now)
        elif (request.ready or request.rejected) and not request.gathering:
            request.gathering = True
            self._agenda.at(now + GATHER, lambda later: self._gathered(request, later))

    def _gathered(self, request: Request, now: float) -> None:
        request.gathering = False
        self._answer(request, now)

    def _answer(self, request: Request, now: float) -> None:
        """Say `subscribed`, then what is due to each new follower, in that order."""
        client = request.client
        for older in list(client.requests):  # commands on one symbol take effect in order
            if older is request:
                break
            if older.ready:
                self._answer(older, now)
        while request.ready or request.rejected:
            ready, rejected, pending = request.part()
            for reason in rejected.values():
                self.lines.tally.rejections[reason] += 1
            begun: list[tuple[Line, Follower]] = []
            accepted = {symbol: self._accept(request, symbol, begun, now) for symbol in ready}
            client.outbox.say(Subscribed(request.command.id, accepted, rejected, pending, request.step))
            self._begin(begun, now)
            if request.step is not None:
                self.charts.begin(client, ready, request.step, now)
        if request.answered:
            if not request.command.symbols or (request.command is client.everything and not self.directory):
                client.outbox.say(Subscribed(request.command.id, {}, {}, 0, request.step))
            client.requests.pop(request, None)

    def _begin(self, begun: Iterable[tuple[Line, Follower]], now: float) -> None:
        for line, follower in begun:
            line.recovery.begin(follower, now)
            self.lines.look_after(line, now)

    def _accept(
        self, request: Request, symbol: Symbol, begun: list[tuple[Line, Follower]], now: float
    ) -> Accepted:
        client, command = request.client, request.command
        line = self.lines[symbol]
        line.waiting.pop(request, None)
        if isinstance(command, SubscribeCandles):
            self.charts.follow(client, line, command.step, command.history, now)
            return Accepted(None, None)
        follower, rate = client.followers.get(symbol), client.rate(command.max_rate)
        if follower is not None:  # subscribing again only changes the rate (`docs/protocol.md`)
            line.recovery.pace(follower, rate, now)
            self.lines.look_after(line, now)
            return Accepted(follower.cursor, rate)
        # The line's own name: the one from the client's command would be kept once per client and symbol.
        follower = Follower(line.symbol, client.outbox, next(self._serials), max_rate=rate)
        client.followers[line.symbol] = follower
        resume = command.resume.get(symbol)
        if resume is not None and client.outbox.allowance is None and self._replay_ticks is not None:
            client.outbox.allowance = TokenBucket(self._replay_ticks / 60, self._replay_ticks, now)
        position = line.recovery.join(follower, resume=resume, snapshot=command.snapshot)
        begun.append((line, follower))
        return Accepted(position, rate)

    def _expire(self, request: Request, now: float) -> None:
        """The deadline of a request: what is not bound is rejected."""
        for symbol in list(request.open):
            request.reject(symbol, Rejection.FEED_UNAVAILABLE)
            self._forsake(request, symbol, now)
        self._answer(request, now)

    def _drop(self, request: Request, now: float) -> None:
        """Nobody waits for *request* any more."""
        request.client.requests.pop(request, None)
        for symbol in (*request.open, *request.ready):
            self._forsake(request, symbol, now)
        request.open.clear()
        request.ready.clear()
        request.rejected.clear()

    def _forsake(self, request: Request, symbol: Symbol, now: float) -> None:
        line = self.lines.get(symbol)
        if line is not None:
            line.waiting.pop(request, None)
            self.lines.tend(line, now)

    def _unfollow(self, client: Client, symbol: Symbol, now: float) -> None:
        line, follower = self.lines[symbol], client.followers.pop(symbol)
        line.recovery.leave(follower)
        line.figures.forget(follower)
        self.lines.tend(line, now)

    # -------------------------------------------------------------------------------------------------- the feed

    def accept(self, messages: Sequence[TickMessage], now: float) -> None:
        """Take live ticks in; ticks of a symbol that has no line any more are dropped."""
        lines = self.lines
        for message in messages:
            line = lines.get(message.symbol)
            if line is not None:
                line.recovery.accept(message.epoch, message.first, message.lines, now)
                if line.recovery.restless:
                    self.lines.look_after(line, now)
        if self.charts.touched:
            self.charts.collect(max((message.published for message in messages), default=0), now)

    def heard(self, heartbeat: Heartbeat, now: float) -> None:
        """A shard lives: take its marks, and say so where it was stale."""
        shard = heartbeat.shard
        later = self._alive(shard, now)
        if later is not None and heartbeat.epoch < later.epoch:
            return
        self._heard[shard] = (now, heartbeat)
        status = self.status.get(shard)
        if status is None or not status.live:
            self._say_status(Status(live=True, since=heartbeat.time, shard=shard))
            self._agenda.at(now + STALE, lambda later: self._watch(shard, later))
        for symbol, seq in heartbeat.marks.items():
            self.lines.heard(symbol, Position(heartbeat.epoch, seq), now)

    def _alive(self, shard: str, now: float) -> Heartbeat | None:
        """The newest heartbeat of *shard*, where that is not stale.

        Of two producers at once (one was frozen, and is awake again) only the newer one speaks for the shard, or
        their directories would replace each other.  Once it is silent, an older one is better than none.
        """
        heard, last = self._heard.get(shard, (now, None))
        return last if now < heard + STALE else None

    def directory_due(self, now: float) -> bool:
        """Whether a directory that may name more is still to come: none is known, or not that of a living run."""
        runs = {shard: alive for shard in self._heard if (alive := self._alive(shard, now)) is not None}
        due = [s for s, alive in runs.items() if (self.directory.version(s) or 0) < alive.directory_version]
        return not self.directory.known or bool(due)

    def _watch(self, shard: str, now: float) -> None:
        """Flag *shard* stale where it has been silent for `STALE` seconds, else look again when it may be."""
        heard, last = self._heard[shard]
        if now < heard + STALE:
            self._agenda.at(heard + STALE, lambda later: self._watch(shard, later))
            return
        self._say_status(Status(live=False, since=last.time, shard=shard))
        self._intents.append(Probe(shard))

    def _say_status(self, status: Status) -> None:
        self.status[status.shard] = status
        for client in self.clients:
            client.outbox.say(status)

    def learn(self, part: DirectoryPart, now: float) -> None:
        """Take a part of the directory; once it is whole, place what waited for it and say what changed."""
        alive = self._alive(part.shard, now)
        if alive is not None and part.version < alive.directory_version:
            return
        before = {i.symbol: self.directory.get(i.symbol) for i in part.instruments}
        changed = self.directory.add(part)
        if changed is None:
            return
        for symbol, instrument in changed.items():
            self._say_session(instrument, before.get(symbol))
        for symbol in [line.symbol for line in self.lines if line.symbol not in self.directory]:
            self._delist(symbol, now)
        for client in list(self.clients):
            for request in list(client.requests):
                for symbol in list(request.open):
                    self._place(request, symbol, now)
                self._answer_ready(request, now)
            self._join_everything(client, changed, now)

    def _join_everything(self, client: Client, changed: Iterable[Symbol], now: float) -> None:
        if client.everything is None:
            return
        room = max(0, client.max_symbols - len(client.names))
        new = [s for s in changed if s not in client.names and client.rejection(s) is None]
        if len(new) > room:
            self._too_many(client, client.everything)
        if new[:room]:
            self._request(client, client.everything, new[:room], now)

    def _too_many(self, client: Client, command: Wish) -> None:
        message = f"symbols: at most {client.max_symbols} on one connection"
        client.outbox.say(Error(command.id, "too_many_symbols", message))

    def _say_session(self, instrument: Instrument, before: Instrument | None) -> None:
        line = self.lines.get(instrument.symbol)
        if line is None or before is None or before.session is instrument.session:
            return
        for follower in line.recovery.followers:
            follower.outbox.say(Session(instrument.symbol, instrument.session, None, instrument.since))

    def _say_figures(self, follower: Follower, day: Day | None) -> None:
        instrument = self.directory.get(follower.symbol)
        if instrument is not None:
            follower.outbox.say(Today(instrument, day))

    def _delist(self, symbol: Symbol, now: float) -> None:
        """A symbol has left the directory: nobody follows it any more."""
        line = self.lines[symbol]
        for request in list(line.waiting):
            request.reject(symbol, Rejection.UNKNOWN_SYMBOL)
            self._forsake(request, symbol, now)
            self._answer_ready(request, now)
        for client in [c for c in self.clients if symbol in c.followers]:
            self._unfollow(client, symbol, now)
            client.outbox.say(Unsubscribed(None, (symbol,), "delisted"))
        for client in self.clients:
            self._end_candles(client, (symbol,), "delisted", now)
