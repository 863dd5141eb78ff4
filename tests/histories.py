"""Questions, answers and candles by chance; a respondent and a reader of the log that write down what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from services.broker.history import (
    PAGE_BYTES,
    Answer,
    CandleAnswer,
    CandleQuestion,
    LogListener,
    Question,
    Respondent,
)
from services.broker.ports import LostReason
from services.broker.rpc import Asked
from services.errors import MalformedMessage
from services.market.candle import STEPS, Candle
from services.market.control import Control
from services.market.day import Day
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import TickMessage
from tests.listeners import line

_WHOLE = st.integers(0, 2**53 - 1)
_SYMBOLS = st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,15}", fullmatch=True).map(Symbol)
_POSITIONS = st.builds(Position, _WHOLE, _WHOLE)
_LINES = st.binary(min_size=1, max_size=30).map(lambda line: line.replace(b"\n", b" "))


def candles() -> st.SearchStrategy[Candle]:
    """Any candle."""
    numbers = [_WHOLE] * 9
    return st.builds(Candle, _SYMBOLS, st.sampled_from(STEPS), *numbers, st.integers(0, 9))


def questions() -> st.SearchStrategy[Question]:
    """Any question about ticks."""
    return st.builds(Question, _SYMBOLS, st.none() | _POSITIONS)


def candle_questions() -> st.SearchStrategy[CandleQuestion]:
    """Any question about candles."""
    return st.builds(CandleQuestion, _SYMBOLS, st.sampled_from(STEPS), _WHOLE, _WHOLE)


def answers() -> st.SearchStrategy[Answer]:
    """Any answer about ticks: its positions may follow each other, leave holes or change the epoch."""
    steps = st.tuples(st.booleans(), st.integers(1, 3), _LINES)
    ticks = st.builds(_walk, _POSITIONS, st.lists(steps, max_size=12))
    price = st.none() | _WHOLE
    days = st.builds(Day, _WHOLE, price, price, price, _WHOLE, st.integers(0, 9), _POSITIONS)
    place = st.none() | _POSITIONS
    return st.builds(Answer, questions(), ticks, place, place, st.none() | days)


def candle_answers() -> st.SearchStrategy[CandleAnswer]:
    """Any answer about candles."""
    starts = st.lists(_WHOLE, max_size=3).map(tuple)
    rows = st.lists(candles(), max_size=5).map(tuple)
    return st.builds(CandleAnswer, candle_questions(), rows, st.none() | _POSITIONS, _WHOLE, starts)


def _walk(start: Position, steps: list[tuple[bool, int, bytes]]) -> tuple[tuple[Position, bytes], ...]:
    found, at = list[tuple[Position, bytes]](), start
    for same_epoch, further, text in steps:
        at = Position(at.epoch, at.seq + further) if same_epoch else Position(at.epoch + 1, further)
        found.append((at, text))
    return tuple(found)


class Shelf(Respondent):
    """Answers from what was put on it; notes what it was asked."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.asked: list[Asked] = []
        self.ticks: dict[Symbol, tuple[tuple[Position, bytes], ...]] = {}
        self.made: tuple[Candle, ...] = ()

    def respond(self, question: Question) -> Answer:
        """Answer with what follows, at most a page."""
        self.asked.append(question)
        held = self.ticks.get(question.symbol, ())
        found = held[-1:] if question.after is None else tuple(t for t in held if t[0] > question.after)
        size, page = 0, list[tuple[Position, bytes]]()
        for tick in found:
            size += len(tick[1])
            if size > PAGE_BYTES:
                break
            page.append(tick)
        top = page[-1][0] if page else question.after
        return Answer(question, tuple(page), top, None)

    def candles(self, question: CandleQuestion) -> CandleAnswer:
        """Answer with what fits."""
        self.asked.append(question)
        return CandleAnswer(
            question, tuple(c for c in self.made if c.symbol == question.symbol)[-question.limit :]
        )

    def put(self, symbol: Symbol, last: int) -> None:
        """Put ticks 1 to *last* of epoch 1 of *symbol* on the shelf."""
        self.ticks[symbol] = tuple((Position(1, seq), line(symbol, seq)) for seq in range(1, last + 1))


@dataclass(slots=True)
class LogRecord(LogListener):
    """What a log told."""

    connections: int = 0
    lost: list[LostReason] = field(default_factory=list)
    batches: list[tuple[TickMessage, ...]] = field(default_factory=list)
    candles: list[Candle] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    malformed: list[MalformedMessage] = field(default_factory=list)
    skips: int = 0

    def on_connected(self) -> None:
        """Count it."""
        self.connections += 1

    def on_lost(self, reason: LostReason) -> None:
        """Keep the reason."""
        self.lost.append(reason)

    def on_ticks(self, messages: Sequence[TickMessage]) -> None:
        """Keep the messages, and which came together."""
        self.batches.append(tuple(messages))

    def on_skipped(self) -> None:
        """Count it."""
        self.skips += 1

    def on_candles(self, candles: Sequence[Candle]) -> None:
        """Keep the candles."""
        self.candles.extend(candles)

    def on_control(self, message: Control) -> None:
        """Keep the message."""
        self.controls.append(message)

    def on_malformed(self, error: MalformedMessage) -> None:
        """Keep the error."""
        self.malformed.append(error)

    @property
    def positions(self) -> list[tuple[Symbol, int]]:
        """Symbol and sequence of each tick in the order told."""
        return [(m.symbol, m.first + i) for batch in self.batches for m in batch for i in range(len(m.lines))]


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run *work* until the end of the block; an error of its own is raised there."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
