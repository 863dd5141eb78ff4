"""The day's figures of one symbol: asked of history once for all who got a snapshot, said when they fit.  Pure.

A client that got the tick at P as its snapshot sees every later one itself.  So figures that count up to P or
beyond are all that it needs, however late they come; older ones would miss what lies between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.follower import Follower
from gateway.questions import Questions
from services.broker.history import Answer, Question
from services.market.day import Day
from services.market.position import Position
from services.market.symbol import Symbol

FIGURES_PATIENCE: Final = 5.0
"""Seconds that a snapshot's figures may be owed; then those that history did not give are null."""


class Figures:
    """What is owed to whom.  The caller takes *questions.outgoing*, and `ready` after each call."""

    __slots__ = ("_owed", "day", "questions")

    def __init__(self, symbol: Symbol) -> None:
        self.questions = Questions(symbol)
        self.day: Day | None = None
        """The newest that history has given."""
        self._owed: dict[Follower, tuple[Position, float]] = {}

    def owe(self, follower: Follower, since: Position, now: float, *, history: bool) -> None:
        """*follower* got the tick at *since* as its snapshot; without *history* nobody can add anything."""
        self._owed[follower] = (since, now + FIGURES_PATIENCE if history else now)
        if history and not self._fits(since):
            self.questions.ask(None)

    def forget(self, follower: Follower) -> None:
        """Nothing is owed to *follower* any more."""
        self._owed.pop(follower, None)

    def answer(self, answer: Answer, now: float) -> None:
        """History's answer to a question for the last tick."""
        day = answer.day
        if day is not None and (self.day is None or day.at > self.day.at):
            self.day = day
        if self.questions.returned(answer.question, now) and not self._wanted(None):
            self.questions.drop(None)

    def unanswered(self, question: Question, now: float) -> None:
        """Nobody answered in time."""
        self.questions.returned(question, now)

    def ready(self, now: float) -> Iterable[tuple[Follower, Day | None]]:
        """Yield to whom something can be said now, and what: None where history did not say it in time."""
        if not self._owed:
            return
        for follower, (since, deadline) in list(self._owed.items()):
            fits = self._fits(since)
            if fits or now >= deadline:
                del self._owed[follower]
                yield follower, self.day if fits else None

    @property
    def next_due(self) -> float | None:
        """When `due` has something to do; None: only after another call."""
        if not self._owed:
            return None
        return min([*self.questions.due(), *(deadline for _, deadline in self._owed.values())])

    def due(self, now: float) -> None:
        """Ask again what is due."""
        self.questions.retry(now, self._wanted)

    def _fits(self, since: Position) -> bool:
        return self.day is not None and self.day.at >= since

    def _wanted(self, _: Position | None) -> bool:
        return any(not self._fits(since) for since, _ in self._owed.values())
