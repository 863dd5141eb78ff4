"""Which of history's answers is young enough to be given again.  Pure."""

from __future__ import annotations

from typing import Final

from gateway.wires.http.memo import Memo
from gateway.wires.http.sheet import is_cut
from services.broker.history import Answer, CandleAnswer, CandleQuestion, Question

LAST_S: Final = 0.25
"""Seconds that a symbol's last tick is given again where nobody here follows the symbol, and that candles are."""
DAY_S: Final = 1.0
"""Seconds that a symbol's day is given again, beside a tick that is live."""
DAY_WAIT_S: Final = 0.1
"""Seconds that quotes wait for days where every tick is live: then they go without those that have not come."""
END_S: Final = 0.1
"""Seconds that a page is given again that ends where history ended."""
PAGE_S: Final = 10.0
"""Seconds that a page is given again that has another behind it: it cannot change."""

_ANSWER_BYTES: Final = 300
"""Of an answer beside its ticks, about."""
_TICK_BYTES: Final = 120
"""Of a tick beside its line."""
_CANDLE_BYTES: Final = 500
"""Of a candle, about."""

Asked = Question | CandleQuestion
Told = Answer | CandleAnswer


class Recall:
    """Keeps answers; times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._memo: Memo[Asked, Told] = Memo()

    @property
    def entries(self) -> int:
        """Answers kept."""
        return len(self._memo)

    @property
    def bytes(self) -> int:
        """What they take, about."""
        return self._memo.bytes

    def find(self, question: Asked, now: float, *, live: bool = False) -> Told | None:
        """Return an answer to *question* that may be given again; *live*: only the day of it is wanted."""
        found = self._memo.get(question, now - PAGE_S)
        if found is None:
            return None
        return self._memo.get(question, now - _age(found, live=live))

    def old(self, question: Asked, now: float) -> Told | None:
        """Return whatever was answered in the last `PAGE_S`: a day says itself up to where it counts."""
        return self._memo.get(question, now - PAGE_S)

    def keep(self, told: Told, now: float) -> Told:
        """Keep *told*, and return what is to be given: of two last ticks the later one.

        Replicas of history are not equally far; nobody who asks twice shall see a price go back.
        """
        question = told.question
        if isinstance(told, Answer) and told.question.after is None:
            before = self._memo.get(question, now - PAGE_S)
            if isinstance(before, Answer) and _place(before) > _place(told):
                told = before
        self._memo.expire(now - PAGE_S)
        self._memo.put(question, told, _size(told), now)
        return told


def _age(told: Told, *, live: bool) -> float:
    if isinstance(told, CandleAnswer):
        return LAST_S
    if told.question.after is None:
        return DAY_S if live else LAST_S
    return PAGE_S if is_cut(told) else END_S


def _place(answer: Answer) -> tuple[int, int]:
    return answer.ticks[-1][0] if answer.ticks else (0, 0)


def _size(told: Told) -> int:
    if isinstance(told, CandleAnswer):
        return _ANSWER_BYTES + _CANDLE_BYTES * len(told.candles)
    return _ANSWER_BYTES + sum(len(line) + _TICK_BYTES for _, line in told.ticks)
