"""The day's figures: to whom they are owed, and when they fit."""

from __future__ import annotations

from gateway.figures import FIGURES_PATIENCE, Figures
from gateway.follower import Follower
from gateway.outbox import Outbox
from gateway.questions import RETRY_BASE
from services.broker.history import Answer, Question
from services.market.day import Day
from services.market.position import Position
from services.market.symbol import Symbol

X = Symbol("X")


def follower() -> Follower:
    """Somebody who got a snapshot."""
    return Follower(X, Outbox(None, [], lambda: None), 1)


def answer(seq: int | None) -> Answer:
    """History's last tick with the day up to *seq*; None: it has read nothing."""
    day = None if seq is None else Day(1, 100, 120, 90, 5_000, 2, Position(1, seq))
    return Answer(Question(X, None), (), day and day.at, None, day)


def test_figures_that_count_the_snapshot_fit() -> None:
    """Figures up to the snapshot or beyond are said, once."""
    figures, newcomer = Figures(X), follower()
    figures.owe(newcomer, Position(1, 7), 10.0, history=True)
    assert [question.after for question in figures.questions.outgoing] == [None]
    assert list(figures.ready(10.0)) == []

    figures.answer(answer(7), 10.01)

    assert [(f, day and day.at.seq) for f, day in figures.ready(10.01)] == [(newcomer, 7)]
    assert list(figures.ready(10.01)) == []
    assert figures.next_due is None


def test_figures_that_lag_are_asked_for_again() -> None:
    """Figures from before the snapshot are not said; history is asked again, with the wait of any question."""
    figures, newcomer = Figures(X), follower()
    figures.owe(newcomer, Position(1, 7), 10.0, history=True)
    figures.questions.outgoing.clear()

    figures.answer(answer(6), 10.0)
    assert list(figures.ready(10.0)) == []
    assert figures.next_due == 10.0 + RETRY_BASE
    figures.due(10.0 + RETRY_BASE)

    assert [question.after for question in figures.questions.outgoing] == [None]
    figures.answer(answer(9), 10.1)
    assert [day and day.at.seq for _, day in figures.ready(10.1)] == [9]


def test_figures_that_are_known_are_asked_for_no_more() -> None:
    """A newcomer whose snapshot the known figures count gets them at once."""
    figures = Figures(X)
    figures.answer(answer(9), 10.0)

    figures.owe(follower(), Position(1, 9), 11.0, history=True)

    assert figures.questions.outgoing == []
    assert [day and day.at.seq for _, day in figures.ready(11.0)] == [9]


def test_patience_ends() -> None:
    """Without an answer in time, or without history, the figures are said to be unknown."""
    figures = Figures(X)
    figures.owe(follower(), Position(1, 7), 10.0, history=True)
    figures.unanswered(Question(X, None), 10.5)
    assert list(figures.ready(10.0 + FIGURES_PATIENCE - 0.1)) == []
    assert [day for _, day in figures.ready(10.0 + FIGURES_PATIENCE)] == [None]

    figures.owe(follower(), Position(1, 8), 20.0, history=False)
    assert [day for _, day in figures.ready(20.0)] == [None]


def test_who_has_left_is_owed_nothing() -> None:
    """Nobody is asked on behalf of a follower that has gone."""
    figures, gone = Figures(X), follower()
    figures.owe(gone, Position(1, 7), 10.0, history=True)
    figures.questions.outgoing.clear()

    figures.forget(gone)
    figures.unanswered(Question(X, None), 10.5)
    figures.due(20.0)

    assert list(figures.ready(30.0)) == []
    assert figures.questions.outgoing == []


def test_older_figures_replace_no_newer_ones() -> None:
    """An answer from an earlier state of the log changes nothing."""
    figures = Figures(X)
    figures.answer(answer(9), 10.0)
    figures.answer(answer(3), 10.1)
    figures.answer(answer(None), 10.2)

    assert figures.day is not None
    assert figures.day.at.seq == 9
