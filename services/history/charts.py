"""The charts of all symbols, within one bound.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from services.history.chart import Chart
from services.history.series import CANDLE_BYTES, Row
from services.market.candle import MINUTE, STEPS, Candle
from services.market.symbol import Symbol
from services.market.wire import TickMessage

DAY_MINUTES: Final = 1_440
"""Most candles of one minute per symbol: 24 hours."""
HOUR_SECONDS: Final = 3_600
"""Most candles of one second per symbol: an hour in which each second has a trade."""
FIRST_SYMBOLS: Final = 64
"""Symbols that the bytes are shared out among at first; with each one too many, among twice as many."""


class Charts:
    """A chart per symbol; all candles together take at most *most_bytes*."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes // CANDLE_BYTES
        self._charts: dict[Symbol, Chart] = {}
        self._shares = FIRST_SYMBOLS
        self._since: int | None = None
        self._skipped = False
        self.read = self.repeated = 0
        """Stored candles that told something, and that were known."""

    def __len__(self) -> int:
        return len(self._charts)

    def __iter__(self) -> Iterator[Chart]:
        return iter(self._charts.values())

    @property
    def bytes(self) -> int:
        """What the candles take."""
        return CANDLE_BYTES * sum(len(chart.seconds) + len(chart.minutes) for chart in self)

    def get(self, symbol: Symbol) -> Chart | None:
        """The chart of *symbol*, None where nothing was read."""
        return self._charts.get(symbol)

    def count(self, message: TickMessage, new: int, now: float) -> None:
        """Count the last *new* ticks of *message*, read at *now* (s)."""
        if self._since is None:
            self._since = message.published
        if self._skipped:
            self._skipped = False
            for each in self:
                each.resume(message.published)
        chart = self._charts.get(message.symbol)
        if chart is None:
            chart = self._new(message.symbol)
        chart.count(message, new, now, self._since)

    def skip(self) -> None:
        """Part of the log may be missing between what was read and what comes: the minutes there are not whole."""
        self._skipped = True

    def add(self, candle: Candle) -> None:
        """Take in a stored candle; those of other steps than a minute are ignored."""
        if candle.step != MINUTE:
            return
        chart = self._charts.get(candle.symbol) or self._new(candle.symbol)
        if chart.add(Row(candle.start, candle.day, *candle[4:])):
            self.read += 1
        else:
            self.repeated += 1

    def settle(self, now: float) -> None:
        """Finish the minutes that no later tick has finished."""
        for chart in self:
            chart.settle(now)

    def finished(self) -> list[Candle]:
        """Take the candles of one minute that are to be stored."""
        return [_candle(symbol, MINUTE, row) for symbol, chart in self._charts.items() for row in chart.finished()]

    def candles(self, symbol: Symbol, step: int, since: int, limit: int) -> Sequence[Candle]:
        """The newest *limit* candles of *symbol* from *since* (µs) on, oldest first; none of an unknown step."""
        chart = self._charts.get(symbol)
        if chart is None or step not in STEPS:
            return ()
        return [_candle(symbol, step, row) for row in chart.rows(step, since, limit)]

    def _new(self, symbol: Symbol) -> Chart:
        seconds, minutes = self._share()
        chart = self._charts[symbol] = Chart(seconds=seconds, minutes=minutes)
        if len(self._charts) > self._shares:
            self._shares *= 2
            seconds, minutes = self._share()
            for each in self:
                each.seconds.most, each.minutes.most = seconds, minutes
        return chart

    def _share(self) -> tuple[int, int]:
        """Return how many candles of a second and of a minute each symbol may have."""
        each = self._most // self._shares
        minutes = min(DAY_MINUTES, max(1, each // 2))
        return min(HOUR_SECONDS, max(1, each - minutes)), minutes


def _candle(symbol: Symbol, step: int, row: Row) -> Candle:
    return Candle(symbol, step, *row)
