"""History on the in-memory broker: it answers from the log itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from services.broker.history import Answer, CandleAnswer, CandleQuestion, Question
from services.errors import HistoryUnavailable

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker

ANSWER_SECONDS: Final = 0.5
"""How long a question waits for its answer."""


class MemoryHistory:
    """A `History` that reads the log of the in-memory broker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._read: dict[str, int] | None = None
        self.present = True
        self.silent = False
        """True: present, but no question is answered."""

    async def run(self) -> None:
        """See `History.run`: the broker is always there."""
        await asyncio.get_running_loop().create_future()

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """See `History.candles`: this one keeps none."""
        return CandleAnswer(question, ())

    async def ask(self, question: Question) -> Answer:
        """See `History.ask`."""
        dice, faults = self._broker.dice, self._broker.faults
        answer = self._answer(question)
        if not self.present or self.silent or dice.hits(faults.history_silent):
            await self._fail()
        if dice.hits(faults.history_late):
            late = dice.within(faults.history_late_s)
            if late > ANSWER_SECONDS:
                await self._fail()
            await self._broker.sleep(late)
        # An answer never comes in the turn of its question: live ticks may overtake it, as with any history.
        await asyncio.sleep(0)
        return answer

    def stop_reading(self) -> None:
        """Answer from now on as if nothing more were written, until `read_on`."""
        self._read = self._broker.log.counts()

    def read_on(self) -> None:
        """Catch up with the log at once."""
        self._read = None

    def _answer(self, question: Question) -> Answer:
        dice, faults = self._broker.dice, self._broker.faults
        log = self._broker.log.of(question.symbol)
        log.expire(self._broker.clock.monotonic())
        if dice.hits(faults.history_forget):
            log.forget(dice.upto(max(0, len(log) - 1)))
        read = log.count if self._read is None else self._read.get(question.symbol, 0)
        if dice.hits(faults.history_lag):
            read -= dice.upto(min(read, len(log)))
        return log.answer(question, read)

    async def _fail(self) -> None:
        await self._broker.sleep(ANSWER_SECONDS)
        raise HistoryUnavailable(f"no history answered within {ANSWER_SECONDS} s")
