"""A history over the in-memory broker that is as unkind as its `Faults` say: it reads the log itself."""

from __future__ import annotations

import asyncio

from services.broker.history import ANSWER_S, Answer, CandleAnswer, CandleQuestion, Question
from services.broker.memory import MemoryBroker
from services.errors import HistoryUnavailable, MalformedMessage
from services.history.ring import Ring
from services.market.symbol import Symbol
from services.market.wire import TickMessage


class UnkindHistory:
    """A `History` that lags, is late, is silent and forgets by the broker's dice."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._next = 0
        self._read: dict[Symbol, list[TickMessage]] = {}
        self._forgotten: dict[Symbol, int] = {}
        self._stopped = False
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
            if late > ANSWER_S:
                await self._fail()
            await self._broker.sleep(late)
        # An answer never comes in the turn of its question: live ticks may overtake it, as with any history.
        await asyncio.sleep(0)
        return answer

    def stop_reading(self) -> None:
        """Answer from now on as if nothing more were written, until `read_on`."""
        self._take()
        self._stopped = True

    def read_on(self) -> None:
        """Catch up with the log at once."""
        self._stopped = False

    def _take(self) -> None:
        items, self._next = self._broker.log.read(self._next, 10**9)
        for item in items:
            if not isinstance(item, MalformedMessage):
                self._read.setdefault(item.symbol, []).append(item)

    def _answer(self, question: Question) -> Answer:
        dice, faults = self._broker.dice, self._broker.faults
        if not self._stopped:
            self._take()
        messages = self._read.get(question.symbol, [])
        if dice.hits(faults.history_lag):
            messages = messages[: dice.upto(len(messages))]
        ring = Ring()
        for message in messages:
            ring.accept(message)
        forget = self._forgotten.get(question.symbol, 0)
        if dice.hits(faults.history_forget) and len(ring):
            forget = self._forgotten[question.symbol] = max(forget, dice.upto(len(ring) - 1))
        ring.forget(forget)
        if question.after is None:
            return Answer(question, *ring.last(), ring.forgot)
        return Answer(question, *ring.after(question.after), ring.forgot)

    async def _fail(self) -> None:
        await self._broker.sleep(ANSWER_S)
        raise HistoryUnavailable(f"no history answered within {ANSWER_S} s")
