"""Questions about one symbol."""

from __future__ import annotations

from gateway.questions import RETRY_BASE, Questions
from services.broker.history import Question
from services.market.position import Position
from services.market.symbol import Symbol

X = Symbol("X")
HERE = Position(1, 5)


def test_position_is_asked_for_once() -> None:
    """A position that is being asked for is not asked for again."""
    questions = Questions(X)
    questions.ask(HERE)
    questions.ask(HERE)
    questions.ask(None)

    assert questions.outgoing == [Question(X, HERE), Question(X, None)]


def test_returned_question_waits_for_its_retry() -> None:
    """A question that came back is asked again when its time has come and somebody wants it."""
    questions = Questions(X)
    questions.ask(HERE)
    questions.outgoing.clear()
    assert questions.returned(Question(X, HERE), 10.0)
    assert list(questions.due()) == [10.0 + RETRY_BASE]
    questions.retry(10.0, lambda _: True)
    assert questions.outgoing == []
    questions.retry(10.0 + RETRY_BASE, lambda _: True)

    assert questions.outgoing == [Question(X, HERE)]
    assert list(questions.due()) == []


def test_unwanted_question_is_forgotten() -> None:
    """A question whose answer nobody wants is not asked again, and a late answer belongs to nobody."""
    questions = Questions(X)
    questions.ask(HERE)
    questions.returned(Question(X, HERE), 10.0)
    questions.retry(11.0, lambda _: False)

    assert not questions
    assert not questions.returned(Question(X, HERE), 12.0)
