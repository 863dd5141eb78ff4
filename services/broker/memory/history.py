"""The asking side of history on the in-memory broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.broker.history import (
    ABSENT_S,
    ANSWER_S,
    Answer,
    CandleAnswer,
    CandleQuestion,
    Question,
    Respondent,
)
from services.errors import HistoryUnavailable

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker


class MemoryHistory:
    """A `History` that asks the desks of the in-memory broker in turn."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._unanswered: float | None = None
        self._absent = False

    @property
    def present(self) -> bool:
        """See `History.present`.  A desk that opens is noticed at once."""
        if self._absent and self._broker.desk_is_open:
            self._absent, self._unanswered = False, None
        return not self._absent

    async def run(self) -> None:
        """See `History.run`: the broker is always there."""
        await asyncio.get_running_loop().create_future()

    async def ask(self, question: Question) -> Answer:
        """See `History.ask`."""
        return (await self._respondent()).respond(question)

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """See `History.candles`."""
        return (await self._respondent()).candles(question)

    async def _respondent(self) -> Respondent:
        """Return who answers next.

        Raises:
            HistoryUnavailable: no desk is open.
        """
        now = self._broker.clock.monotonic
        asked = now()
        # An answer never comes in the turn of its question: live ticks may overtake it, as with any history.
        await asyncio.sleep(0)
        respondent = self._broker.respondent()
        if respondent is not None:
            self._absent, self._unanswered = False, None
            return respondent
        if self._unanswered is None:
            self._unanswered = asked
        await self._broker.sleep(ANSWER_S)
        self._absent = self._silent_for(now()) >= ABSENT_S
        raise HistoryUnavailable(f"no history answered within {ANSWER_S} s")

    def _silent_for(self, now: float) -> float:
        """Seconds since the first question that nobody has answered; another one may have been, meanwhile."""
        return 0.0 if self._unanswered is None else now - self._unanswered
