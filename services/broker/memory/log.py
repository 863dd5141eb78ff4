"""The log: the last minutes of every symbol, and answers from it.  Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from operator import attrgetter
from typing import Final, NamedTuple

from services.broker.history import PAGE_BYTES, Answer, Question
from services.market.position import Position
from services.market.wire import TickMessage

KEEP_SECONDS: Final = 120.0
"""A tick older than this is forgotten, except the symbol's newest."""
KEEP_TICKS: Final = 20_000
"""Most ticks kept per symbol: 120 s of a symbol that ticks 166 times a second; about 7 MB (measured)."""
_SPARE: Final = 1_024
"""Forgotten entries that may still stand at the head of a list: cutting each off alone would move all others."""


class Entry(NamedTuple):
    """One tick in the log; *written* is in monotonic seconds."""

    position: Position
    line: bytes
    written: float


class SymbolLog:
    """One symbol's ticks, positions ascending."""

    def __init__(self, *, keep_s: float = KEEP_SECONDS, keep_ticks: int = KEEP_TICKS) -> None:
        self._keep_s, self._keep_ticks = keep_s, keep_ticks
        self._entries: list[Entry] = []
        self._start = 0
        self.count = 0
        """How many ticks were ever written."""
        self.forgot: Position | None = None
        """The largest position that was written and dropped."""

    def __len__(self) -> int:
        return len(self._entries) - self._start

    @property
    def newest(self) -> Position | None:
        """The largest position written."""
        return self._entries[-1].position if self else self.forgot

    def write(self, message: TickMessage, now: float) -> None:
        """Append the ticks of *message* that are above everything written; the others are repeats or too late."""
        for offset, line in enumerate(message.lines):
            position = Position(message.epoch, message.first + offset)
            if self.newest is None or position > self.newest:
                self._entries.append(Entry(position, line, now))
                self.count += 1
        self.forget(len(self) - self._keep_ticks)
        self.expire(now)

    def expire(self, now: float) -> None:
        """Drop what is too old.  The newest stays: a symbol that fell silent keeps its last price."""
        keep_from, start = now - self._keep_s, self._start
        while start < len(self._entries) - 1 and self._entries[start].written < keep_from:
            start += 1
        self.forget(start - self._start)

    def forget(self, ticks: int) -> None:
        """Drop the oldest *ticks*."""
        ticks = min(ticks, len(self))
        if ticks <= 0:
            return
        self._start += ticks
        self.forgot = self._entries[self._start - 1].position
        if self._start > _SPARE or not self:
            del self._entries[: self._start]
            self._start = 0

    def answer(self, question: Question, read: int) -> Answer:
        """Answer as a reader would that has read the first *read* ticks ever written."""
        end = max(self._start, len(self._entries) - (self.count - read))
        top = self._entries[end - 1].position if end > self._start else self.forgot
        if question.after is None:
            begin = max(self._start, end - 1)
        else:
            begin = bisect_right(self._entries, question.after, self._start, end, key=attrgetter("position"))
        cut = self._page(begin, end)
        ticks = tuple((e.position, e.line) for e in self._entries[begin:cut])
        return Answer(question, ticks, ticks[-1][0] if cut < end else top, self.forgot)

    def _page(self, begin: int, end: int) -> int:
        size = 0
        for index in range(begin, end):
            size += len(self._entries[index].line)
            if size > PAGE_BYTES and index > begin:
                return index
        return end


class Log:
    """Every symbol's log."""

    def __init__(self, *, keep_s: float = KEEP_SECONDS, keep_ticks: int = KEEP_TICKS) -> None:
        self._keep_s, self._keep_ticks = keep_s, keep_ticks
        self._symbols: dict[str, SymbolLog] = {}

    def of(self, symbol: str) -> SymbolLog:
        """The log of *symbol*, empty where nothing was written."""
        log = self._symbols.get(symbol)
        return log if log is not None else SymbolLog()

    def write(self, message: TickMessage, now: float) -> None:
        """Append *message* at *now* (monotonic seconds)."""
        log = self._symbols.get(message.symbol)
        if log is None:
            log = self._symbols[message.symbol] = SymbolLog(keep_s=self._keep_s, keep_ticks=self._keep_ticks)
        log.write(message, now)

    def counts(self) -> dict[str, int]:
        """How many ticks were ever written of each symbol."""
        return {symbol: log.count for symbol, log in self._symbols.items()}

    def newest_epoch(self, symbols: Collection[str]) -> int | None:
        """The largest epoch among the newest entries of *symbols*."""
        newest = (self.of(symbol).newest for symbol in symbols)
        return max((position.epoch for position in newest if position is not None), default=None)
