"""What history remembers and answers: rings for positions, charts for candles.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from services.broker.history import Answer, CandleAnswer, CandleQuestion, Question
from services.history.charts import Charts
from services.history.shelf import Shelf
from services.market.candle import Candle
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import TickMessage

PAGE_CANDLES: Final = 500
"""Most candles in one answer, the newest ones: about 55 KB as they travel."""
CANDLE_SHARE: Final = 4
"""One in so many bytes may be a candle's, the others are for ticks."""


class Store:
    """A `Respondent`.  *keep_s*: seconds; *ring_ticks*: of one symbol; *memory*: bytes of everything."""

    def __init__(self, *, keep_s: float, ring_ticks: int, memory: int) -> None:
        self.charts = Charts(memory // CANDLE_SHARE)
        self.shelf = Shelf(keep_s=keep_s, ring_ticks=ring_ticks, most_bytes=memory - memory // CANDLE_SHARE)
        self.answered = self.answered_candles = 0
        """Questions answered, and of those about candles."""

    def accept(self, messages: Iterable[TickMessage], now: float) -> None:
        """Take in entries of the log that were read at *now* (s)."""
        accept, count = self.shelf.accept, self.charts.count
        for message in messages:
            new = accept(message, now)
            if new:
                count(message, new, now)

    def accept_candles(self, candles: Iterable[Candle]) -> None:
        """Take in candles that were stored."""
        for candle in candles:
            self.charts.add(candle)

    def skip(self) -> None:
        """Part of the log may be missing between what was read and what comes."""
        self.shelf.skip()
        self.charts.skip()

    def sweep(self, now: float) -> Sequence[Candle]:
        """Forget what is too old at *now* (s); return the candles that are finished, to be stored."""
        self.shelf.expire(now)
        self.charts.settle(now)
        return self.charts.finished()

    def newest(self, symbol: Symbol) -> Position | None:
        """The largest position read of *symbol*."""
        ring = self.shelf.get(symbol)
        return None if ring is None else ring.newest

    def published(self, symbol: Symbol) -> int:
        """When the newest message of *symbol* that was read was published (µs); 0: none."""
        ring = self.shelf.get(symbol)
        return 0 if ring is None else ring.published

    def respond(self, question: Question) -> Answer:
        """See `Respondent.respond`."""
        self.answered += 1
        ring = self.shelf.get(question.symbol)
        if ring is None:
            return Answer(question, (), None, None)
        if question.after is not None:
            page = ring.after(question.after)
            return Answer(question, page.ticks, page.top, ring.forgot)
        page, chart = ring.last(), self.charts.get(question.symbol)
        return Answer(question, page.ticks, page.top, ring.forgot, None if chart is None else chart.day)

    def candles(self, question: CandleQuestion) -> CandleAnswer:
        """See `Respondent.candles`."""
        self.answered_candles += 1
        symbol, step, since, limit = question
        candles = tuple(self.charts.candles(symbol, step, since, min(limit, PAGE_CANDLES)))
        chart = self.charts.get(symbol)
        if chart is None or chart.at is None:
            return CandleAnswer(question, candles)
        partial = chart.partial(step, [candle.start for candle in candles])
        return CandleAnswer(question, candles, chart.at, chart.clock, tuple(partial))
