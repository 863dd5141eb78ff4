"""Questions, answers and candles for tests, by chance and by name."""

from __future__ import annotations

from hypothesis import strategies as st

from services.broker.history import Answer, CandleAnswer, CandleQuestion, Question
from services.market.candle import STEPS, Candle
from services.market.day import Day
from services.market.position import Position
from services.market.symbol import Symbol

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
    return st.builds(CandleAnswer, candle_questions(), st.lists(candles(), max_size=5).map(tuple))


def _walk(start: Position, steps: list[tuple[bool, int, bytes]]) -> tuple[tuple[Position, bytes], ...]:
    found, at = list[tuple[Position, bytes]](), start
    for same_epoch, further, line in steps:
        at = Position(at.epoch, at.seq + further) if same_epoch else Position(at.epoch + 1, further)
        found.append((at, line))
    return tuple(found)
