"""`services.history.store`: questions and their answers."""

from __future__ import annotations

from services.broker.history import Answer, CandleQuestion, Question
from services.history.store import PAGE_CANDLES, Store
from services.market.candle import MINUTE, SECOND, Candle
from services.market.day import Day
from services.market.position import Position
from tests.unit.services.history import ticks
from tests.unit.services.history.ticks import NOON, A, B, message, tick

DAY = Day(NOON + ticks.SECOND, 100, 120, 100, 8, 2, Position(1, 3))


def store() -> Store:
    """A store that read three trades of A."""
    s = Store(keep_s=120, ring_ticks=1_000, memory=2**24)
    trades = ((1, 1.0, 100, 5, 5), (2, 1.5, 120, 2, 7), (3, 61.0, 110, 1, 8))
    s.accept([message(n, tick(n, *rest), published=rest[0]) for n, *rest in trades], 0.0)  # type: ignore[arg-type]
    return s


def test_the_last_tick_and_the_day() -> None:
    """`after` None is answered by the newest tick and the day; a symbol that never traded by nothing."""
    answer = store().respond(Question(A, None))
    assert [position for position, _ in answer.ticks] == [(1, 3)]
    assert (answer.top, answer.forgot, answer.day) == ((1, 3), (1, 0), DAY)
    assert store().respond(Question(B, None)) == Answer(Question(B, None), (), None, None)


def test_what_follows_a_position_comes_without_the_day() -> None:
    """The day's figures cost something, so that they come only where they are asked for."""
    answer = store().respond(Question(A, Position(1, 1)))
    assert [position for position, _ in answer.ticks] == [(1, 2), (1, 3)]
    assert answer.day is None


def test_candles() -> None:
    """Candles of both steps come from the trades; each question is counted by its kind."""
    s = store()
    question = CandleQuestion(A, SECOND, NOON + 2 * ticks.SECOND, 9)
    (candle,) = s.candles(question).candles
    assert candle == Candle(A, SECOND, NOON + 61 * ticks.SECOND, DAY.began, 1, 110, 110, 110, 110, 1, 1, 2)
    assert len(s.candles(CandleQuestion(A, MINUTE, 0, 9)).candles) == 2
    s.respond(Question(A, None))
    assert (s.answered, s.answered_candles) == (1, 2)


def test_a_repeat_counts_nowhere() -> None:
    """A message that comes again changes neither day nor candles."""
    s = store()
    before = s.candles(CandleQuestion(A, SECOND, 0, 9))
    s.accept([message(1, tick(1, 1.0, 100, 5, 5), tick(2, 1.5, 120, 2, 7), published=1)], 1.0)
    assert s.candles(CandleQuestion(A, SECOND, 0, 9)) == before
    assert s.respond(Question(A, None)).day == DAY


def test_a_sweep_forgets_and_finishes() -> None:
    """A sweep drops what is too old, and hands out the minutes that are finished, also by the clock alone."""
    s = store()
    assert [candle.start for candle in s.sweep(66.0)] == [NOON + ticks.MINUTE]
    s.sweep(130.0)
    assert s.shelf.ticks == 1
    assert s.respond(Question(A, Position(1, 0))).forgot == (1, 2)


def test_stored_candles_are_remembered() -> None:
    """Candles that were stored come back among those of their step."""
    s, old = store(), Candle(A, MINUTE, NOON - ticks.MINUTE, NOON - ticks.MINUTE, 1, 90, 95, 80, 85, 3, 2, 2)
    s.accept_candles([old])
    assert s.candles(CandleQuestion(A, MINUTE, 0, 9)).candles[0] == old
    day = s.respond(Question(A, None)).day
    assert day is not None
    assert (day.open, day.high, day.low) == (90, 120, 80)


def test_newest_and_published() -> None:
    """What was read last of a symbol, and when that was published, is told for comparing with marks."""
    s = store()
    assert (s.newest(A), s.newest(B)) == ((1, 3), None)
    assert (s.published(A), s.published(B)) == (NOON + 61 * ticks.SECOND, 0)


def test_an_answer_has_a_bounded_number_of_candles() -> None:
    """Whoever asks for more candles than one answer may have gets the newest ones."""
    s = Store(keep_s=120, ring_ticks=10_000, memory=2**26)
    for n in range(1, PAGE_CANDLES + 50):
        s.accept([message(n, tick(n, float(n), 100, 1, n), published=n)], float(n))

    candles = s.candles(CandleQuestion(A, SECOND, 0, 10**9)).candles

    assert len(candles) == PAGE_CANDLES
    assert candles[-1].start == NOON + (PAGE_CANDLES + 49) * ticks.SECOND
