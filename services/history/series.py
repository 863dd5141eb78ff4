"""Finished candles of one symbol and step, oldest first, in two columns of whole numbers.  Pure.

A candle as an object takes about 390 bytes, here 80 (`tracemalloc`, Python 3.11).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

CANDLE_BYTES: Final = 88
"""What a kept candle takes: ten numbers of 8 bytes, and what the columns have spare."""
_WIDTH: Final = 9


class Row(NamedTuple):
    """A `Candle` without symbol and step."""

    start: int
    day: int
    epoch: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int
    decimals: int

    @property
    def key(self) -> tuple[int, int]:
        """What names a candle among those of its symbol and step.

        With the epoch, since a new run may begin a day in the middle of a minute.
        """
        return self.start, self.epoch


class Series:
    """The newest *most* candles."""

    __slots__ = ("_rest", "_starts", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._starts, self._rest = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Row]:
        return (self._row(index) for index in range(len(self._starts)))

    def add(self, row: Row, *, replace: bool = False) -> bool:
        """Put *row* in its place; return whether it was put: not where one of its name is, unless *replace*."""
        if not self._starts or row.start > self._starts[-1]:
            self._starts.append(row.start)
            self._rest.extend(row[1:])
            self._cut()
            return True
        index = self._place(row)
        if index < 0:
            if replace:
                self._rest[~index * _WIDTH : (~index + 1) * _WIDTH] = array("q", row[1:])
            return replace
        self._starts.insert(index, row.start)
        self._rest[index * _WIDTH : index * _WIDTH] = array("q", row[1:])
        self._cut()
        return True

    def has(self, row: Row) -> bool:
        """Whether a candle of this name is kept."""
        return self._place(row) < 0

    def since(self, start: int, limit: int) -> list[Row]:
        """The newest *limit* candles that start at *start* or later, oldest first."""
        first = max(bisect_left(self._starts, start), len(self._starts) - limit)
        return [self._row(index) for index in range(first, len(self._starts))]

    def _place(self, row: Row) -> int:
        """Where *row* belongs; ~index where a candle of its name is."""
        low = bisect_left(self._starts, row.start)
        high = bisect_right(self._starts, row.start, low)
        for index in range(low, high):
            epoch = self._rest[index * _WIDTH + 1]
            if epoch == row.epoch:
                return ~index
            if epoch > row.epoch:
                return index
        return high

    def _row(self, index: int) -> Row:
        return Row(self._starts[index], *self._rest[index * _WIDTH : (index + 1) * _WIDTH])

    def _cut(self) -> None:
        """Drop the oldest; a sixteenth more than need be, since each cut moves all the others."""
        if len(self._starts) > self.most + self.most // 16:
            gone = len(self._starts) - self.most
            del self._starts[:gone], self._rest[: gone * _WIDTH]
