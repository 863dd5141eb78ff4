"""Which answers are given again."""

from __future__ import annotations

from typing import Final

from gateway.wires.http.recall import DAY_S, END_S, LAST_S, PAGE_S, Recall
from services.broker.history import PAGE_BYTES, Answer, CandleAnswer, CandleQuestion, Question
from services.market.position import Position
from services.market.symbol import Symbol

A: Final = Symbol("AAPL")
LAST: Final = Question(A, None)


def last(seq: int) -> Answer:
    """An answer about the last tick."""
    return Answer(LAST, ((Position(7, seq), b"tick"),), Position(7, seq), None)


def test_the_last_tick() -> None:
    """A last tick is given again for a quarter of a second, its day alone for a second."""
    recall = Recall()
    recall.keep(last(5), 10.0)
    assert recall.find(LAST, 10.0 + LAST_S) == last(5)
    assert recall.find(LAST, 10.1 + LAST_S) is None
    assert recall.find(LAST, 10.0 + DAY_S, live=True) == last(5)
    assert recall.find(LAST, 10.1 + DAY_S, live=True) is None


def test_no_price_goes_back() -> None:
    """Of two replicas' last ticks the later one is given, whichever answered later."""
    recall = Recall()
    assert recall.keep(last(5), 10.0) == last(5)
    assert recall.keep(last(4), 11.0) == last(5)
    assert recall.find(LAST, 11.0) == last(5)
    assert recall.keep(last(6), 12.0) == last(6)


def test_pages() -> None:
    """A page with another one behind it cannot change; the last one may, a moment later."""
    recall, question = Recall(), Question(A, Position(7, 0))
    recall.keep(Answer(question, ((Position(7, 1), b"x" * PAGE_BYTES),), None, None), 10.0)
    assert recall.find(question, 10.0 + PAGE_S) is not None
    recall.keep(Answer(question, ((Position(7, 1), b"x"),), None, None), 30.0)
    assert recall.find(question, 30.0 + END_S) is not None
    assert recall.find(question, 30.01 + END_S) is None


def test_candles() -> None:
    """Candles are given again for a quarter of a second."""
    recall, question = Recall(), CandleQuestion(A, 60, 0, 300)
    recall.keep(CandleAnswer(question, ()), 10.0)
    assert recall.find(question, 10.0 + LAST_S) is not None
    assert recall.find(question, 10.1 + LAST_S) is None
    assert recall.bytes > 0
    assert recall.entries == 1
