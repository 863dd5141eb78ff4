"""A gateway's hub, a history, a client that follows candles; ticks that get lost; what the candles must be."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.candles.chart import Chart
from gateway.client import Client
from gateway.commands import SubscribeCandles, UnsubscribeCandles
from gateway.frames import Candles, Frame
from gateway.hub import Hub
from gateway.intents import Ask, AskCandles, Close, Open
from gateway.outbox import Outbox
from services.broker.history import Answer, CandleAnswer, CandleQuestion
from services.history.store import Store
from services.market.candle import MINUTE
from services.market.control import Heartbeat
from services.market.directory import Instrument, SessionState, split
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import TickMessage, encode_tick

A, B = Symbol("AAPL"), Symbol("BRK.B")
NOON_S = 1_795_003_200
SECOND_US = 1_000_000


class Trade(NamedTuple):
    """A tick that was made."""

    at: Position
    ts: int
    """Not more than 5 s after its publishing."""
    price: int
    size: int


class World:
    """Time is one clock for all; the client follows `A` with *step*."""

    def __init__(self, step: int = MINUTE, *, history: bool = True) -> None:
        self.now, self.step = 100.0, step
        self.hub = Hub(history=history)
        self.client, self.view = self.newcomer()
        self.store = Store(keep_s=3_600, ring_ticks=100_000, memory=64 * 2**20)
        self.log: list[TickMessage] = []
        self.made: list[Trade] = []
        self.asked: list[tuple[Ask | AskCandles, Answer | CandleAnswer]] = []
        self.epoch, self.seq, self.volume, self.read_to = 1, 0, 0, 0
        self.hub.lines.connect(self.now)
        self._version = 0
        self.list(A, B)

    @property
    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return NOON_S * SECOND_US + round(self.now * SECOND_US)

    def newcomer(self, entitlement: Entitlement = ANYBODY, most: int = 100) -> tuple[Client, View]:
        """Another client."""
        outbox = Outbox(None, [], lambda: None)
        return self.hub.join(outbox, max_symbols=most, entitlement=entitlement), View(outbox)

    def list(self, *symbols: Symbol) -> None:
        """A directory of these symbols comes."""
        self._version += 1
        instruments = [Instrument(s, "x", "XNAS", "USD", 2, 1, 1, SessionState.OPEN, 1) for s in symbols]
        for part in split("main", self._version, instruments):
            self.hub.learn(part, self.now)
        self.settle()

    def subscribe(self, *symbols: Symbol, client: Client | None = None, history: int = 500, step: int = 0) -> None:
        """A client subscribes to candles."""
        command = SubscribeCandles(1, symbols or (A,), step or self.step, history)
        self.hub.subscribe(client or self.client, command, self.now)
        self.settle()

    def unsubscribe(self, *symbols: Symbol, client: Client | None = None) -> None:
        """A client unsubscribes from candles."""
        command = UnsubscribeCandles(2, symbols or (A,), self.step)
        self.hub.unsubscribe_candles(client or self.client, command, self.now)
        self.settle()

    @property
    def chart(self) -> Chart:
        """The only chart."""
        (chart,) = self.hub.charts
        return chart

    # ------------------------------------------------------------------------------------------------ the market

    def make(self, price: int = 100, size: int = 1, ago: float = 0.0, *, logged: bool = True) -> TickMessage:
        """Make one tick of `A`, *ago* seconds late, and put it into the log."""
        self.seq += 1
        self.volume += size
        ts = self.wall_us - round(ago * SECOND_US)
        at = Position(self.epoch, self.seq)
        self.made.append(Trade(at, min(ts, self.wall_us + 5 * SECOND_US), price, size))
        line = encode_tick(Tick(self.seq, ts, A, price, size, 1, 2, 3, 4, self.volume, 2))
        message = TickMessage(A, self.epoch, self.seq, self.wall_us, ts, (line,))
        if logged:
            self.log.append(message)
        return message

    def live(self, *messages: TickMessage) -> None:
        """Messages come to the gateway."""
        self.hub.accept(messages, self.now)
        self.settle()

    def tick(self, price: int = 100, size: int = 1) -> None:
        """A tick is made, read by history and comes to the gateway."""
        message = self.make(price, size)
        self.read()
        self.live(message)

    def begin_epoch(self) -> None:
        """The producer begins anew."""
        self.epoch, self.seq = self.epoch + 1, 0

    def beat(self) -> None:
        """A heartbeat comes, with the mark."""
        marks = {A: self.seq} if self.seq else {}
        self.hub.heard(Heartbeat("main", self.epoch, self.wall_us, 1, marks, full=False), self.now)
        self.settle()

    # --------------------------------------------------------------------------------------------------- history

    def read(self, count: int = 10**9) -> None:
        """History reads on."""
        upto = min(len(self.log), self.read_to + count)
        self.store.accept(self.log[self.read_to : upto], self.now)
        self.read_to = upto
        self.store.sweep(self.now)

    def answer(self, which: int = 0, *, dead: bool = False) -> None:
        """Give the answer that history gave to one of the questions under way when it was asked; *dead*: none."""
        intent, answer = self.asked.pop(which % len(self.asked))
        if isinstance(intent, AskCandles) and isinstance(answer, CandleAnswer):
            charts = self.hub.charts
            charts.unanswered(intent.question, self.now) if dead else charts.answer(answer, self.now)
        elif isinstance(intent, Ask) and isinstance(answer, Answer):
            lines = self.hub.lines
            lines.unanswered(intent.question, self.now) if dead else lines.answer(answer, self.now)
        self.settle()

    def answer_all(self) -> None:
        """Everything is answered as history stands now."""
        while self.asked:
            intent, _ = self.asked[0]
            self.asked[0] = (intent, self._respond(intent))
            self.answer()

    def _respond(self, intent: Ask | AskCandles) -> Answer | CandleAnswer:
        if isinstance(intent, Ask):
            return self.store.respond(intent.question)
        return self.store.candles(intent.question)

    # ------------------------------------------------------------------------------------------------------ time

    def settle(self) -> None:
        """Do what the hub intends: the broker binds at once, history answers when it is told to."""
        while intents := self.hub.intents():
            for intent in intents:
                if isinstance(intent, Open):
                    self.hub.lines.opened(intent, self.now)
                elif isinstance(intent, Close):
                    self.hub.lines.closed(intent, self.now)
                elif isinstance(intent, Ask | AskCandles):
                    self.asked.append((intent, self._respond(intent)))

    def later(self, seconds: float) -> None:
        """Time passes; every deadline is looked after when it is due."""
        end = self.now + seconds
        while (at := self.hub.next_due) is not None and at <= end:
            self.now = max(self.now, at)
            self.hub.due(self.now)
            self.settle()
            self.view.take()
        self.now = end

    def quiet(self, seconds: float = 12.0) -> None:
        """Nothing is made any more, everything is read, said, and answered."""
        for _ in range(round(seconds * 5)):
            self.read()
            self.beat()
            self.answer_all()
            self.later(0.2)

    def told(self) -> dict[int, tuple[int, ...]]:
        """The candles as history has them."""
        candles = self.store.candles(CandleQuestion(A, self.step, 0, 500)).candles
        return {c.start: (c.epoch, c.open, c.high, c.low, c.close, c.volume, c.trades) for c in candles}

    def truth(self, upto: Position | None = None) -> dict[int, tuple[int, ...]]:
        """The candles of all ticks made (up to a position)."""
        return recount((t for t in self.made if upto is None or t.at <= upto), self.step)


class View:
    """What a client holds."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.held: dict[int, dict[str, Any]] | None = None
        self.resets = self.frames = 0
        self.others: list[bytes | Frame] = []

    def take(self) -> int:
        """Read what was said; return how many frames of candles there were."""
        before = self.frames
        for entry in self.outbox.take():
            if not isinstance(entry, Candles):
                self.others.append(entry)
                continue
            self.frames += 1
            self.resets += entry.reset
            rows = [json.loads(row) for row in entry.rows]
            starts = [row["start"] for row in rows]
            assert starts == sorted(set(starts))
            if entry.reset:
                self.held = {}
            assert self.held is not None, "the first frame is no reset"
            assert entry.reset or rows, "an update without candles"
            assert entry.reset or not self.held or starts[0] >= max(self.held), (
                "a finished candle was opened again"
            )
            self.held.update(zip(starts, rows, strict=True))
        return self.frames - before

    @property
    def candles(self) -> dict[int, tuple[int, ...]]:
        """What it holds, as `World.truth` puts it."""
        self.take()
        assert self.held is not None
        return {
            start: (row["epoch"], *(round(row[f] * 100) for f in ("open", "high", "low", "close")), row["volume"],
                    row["trades"])
            for start, row in self.held.items()
        }  # fmt: skip

    @property
    def doubted(self) -> set[int]:
        """The starts of those that may lack trades."""
        self.take()
        return {start for start, row in (self.held or {}).items() if row.get("partial")}


def recount(trades: Iterable[Trade], step: int) -> dict[int, tuple[int, ...]]:
    """Count candles by the rule alone: epoch, open, high, low, close, volume, trades by start."""
    candles: dict[int, list[Trade]] = {}
    clock = 0
    for trade in trades:
        clock = max(clock, trade.ts - trade.ts % SECOND_US)
        if trade.size:
            candles.setdefault(clock - clock % (step * SECOND_US), []).append(trade)
    return {
        start: (
            found[-1].at.epoch,
            found[0].price,
            max(t.price for t in found),
            min(t.price for t in found),
            found[-1].price,
            sum(t.size for t in found),
            len(found),
        )
        for start, found in candles.items()
    }
