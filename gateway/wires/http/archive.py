"""History as the HTTP wire asks it: who asks the same at the same time, or a moment later, shares an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from gateway.wires.http.figures import Figures, Source
from gateway.wires.http.recall import DAY_WAIT_S, Asked, Recall, Told
from services.broker.history import ANSWER_S, Answer, CandleAnswer, CandleQuestion, History, Question
from services.errors import HistoryUnavailable
from services.market.symbol import Symbol
from services.runtime.clock import Clock

ATTEMPTS: Final = 2
"""Times that a question is put, 0.5 s each, before a request is told that history does not answer."""
PATIENCE_S: Final = 2 * ATTEMPTS * ANSWER_S
"""Seconds that quotes wait for history at most: twice what its answer, or its silence, takes."""


class Archive:
    """Asks *history*; what is on its way is asked once, whoever waits for it."""

    def __init__(self, history: History, clock: Clock, recall: Recall, figures: Figures) -> None:
        self._history, self._clock, self._recall, self._figures = history, clock, recall, figures
        self._asking: dict[Asked, asyncio.Task[Told]] = {}

    async def last(self, symbols: Iterable[tuple[Symbol, bool]]) -> Mapping[Symbol, Answer]:
        """Return the last tick and the day of each of *symbols*; the pair's truth: only its day is wanted.

        Those that nobody answers about are left out.  Where only days are wanted, nobody waits long for them.
        """
        now = self._clock.monotonic()
        found: dict[Symbol, Answer] = {}
        asked: dict[Symbol, tuple[asyncio.Task[Told], bool]] = {}
        for symbol, live in symbols:
            kept = self._kept(Question(symbol, None), now, live=live)
            if isinstance(kept, Answer):
                found[symbol] = kept
            else:
                asked[symbol] = self._ask(Question(symbol, None)), live
        if asked:
            patience = DAY_WAIT_S if all(live for _, live in asked.values()) else PATIENCE_S
            await asyncio.wait([task for task, _ in asked.values()], timeout=patience)
        for symbol, (task, live) in asked.items():
            told = _result(task) or (self._recall.old(Question(symbol, None), now) if live else None)
            if isinstance(told, Answer):
                found[symbol] = told
        return found

    async def answer(self, question: Question) -> Answer:
        """Return an answer.

        Raises:
            HistoryUnavailable: nobody answers.
        """
        told = await self._told(question)
        if not isinstance(told, Answer):
            raise HistoryUnavailable(f"no answer about {question.symbol}")
        return told

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """Return an answer.

        Raises:
            HistoryUnavailable: nobody answers.
        """
        told = await self._told(question)
        if not isinstance(told, CandleAnswer):
            raise HistoryUnavailable(f"no answer about candles of {question.symbol}")
        return told

    async def _told(self, question: Asked) -> Told:
        kept = self._kept(question, self._clock.monotonic())
        return kept if kept is not None else await asyncio.shield(self._ask(question))

    def _kept(self, question: Asked, now: float, *, live: bool = False) -> Told | None:
        kept = self._recall.find(question, now, live=live)
        self._figures.recalled[Source.KEPT] += kept is not None
        return kept

    def _ask(self, question: Asked) -> asyncio.Task[Told]:
        """Return the task that asks; it goes on where one of those who wait leaves."""
        task = self._asking.get(question)
        self._figures.recalled[Source.HISTORY if task is None else Source.SHARED] += 1
        if task is None:
            task = self._asking[question] = asyncio.get_running_loop().create_task(self._put(question))
            task.add_done_callback(lambda done: self._done(question, done))
        return task

    def _done(self, question: Asked, task: asyncio.Task[Told]) -> None:
        del self._asking[question]
        if not task.cancelled():
            task.exception()  # else asyncio complains where nobody waits any more

    async def _put(self, question: Asked) -> Told:
        for attempt in range(ATTEMPTS):
            if not self._history.present:
                break
            try:
                told = await self._once(question)
            except HistoryUnavailable:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return self._recall.keep(told, self._clock.monotonic())
        raise HistoryUnavailable(f"there is no history to ask about {question.symbol}")

    async def _once(self, question: Asked) -> Told:
        if isinstance(question, Question):
            return await self._history.ask(question)
        return await self._history.candles(question)


def _result(task: asyncio.Task[Told]) -> Told | None:
    """Return what *task* was told; None: nothing, or nothing yet."""
    return task.result() if task.done() and not task.cancelled() and task.exception() is None else None
