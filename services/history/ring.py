"""One symbol's last ticks, positions ascending, and what follows a position.  Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple

from services.broker.history import PAGE_BYTES
from services.market.position import Position
from services.market.wire import TickMessage

TICK_BYTES: Final = 72
"""What a tick takes beside its line: 33 of the bytes object, up to 15 of alignment, 8 of the reference, 16 of the
position (`tracemalloc`, Python 3.11: 68 to 72 with lines of 146 bytes)."""
_SPARE: Final = 1_024
"""Forgotten ticks that may still stand at the head of the lists: cutting each off alone would move all others."""


class Page(NamedTuple):
    """What follows a position; complete up to *top*."""

    ticks: tuple[tuple[Position, bytes], ...]
    top: Position | None


class Ring:
    """The newest ticks of one symbol.  Columns instead of objects: a position costs 16 bytes, not 120."""

    __slots__ = (
        "_epochs",
        "_lines",
        "_seqs",
        "_start",
        "broken",
        "bytes",
        "count",
        "forgot",
        "newest",
        "published",
    )

    def __init__(self) -> None:
        self._epochs, self._seqs = array("q"), array("q")
        self._lines: list[bytes | None] = []
        self._start = 0
        self.count = 0
        """How many ticks were ever taken in."""
        self.bytes = 0
        """What the ticks take, `TICK_BYTES` each included."""
        self.newest: Position | None = None
        """The largest position taken in."""
        self.forgot: Position | None = None
        """The largest position that was dropped, or may have been in the log before reading began."""
        self.broken = False
        """Whether part of the log may have been skipped since the newest tick."""
        self.published = 0
        """When the newest message was handed to the broker, microseconds since 1970."""

    def __len__(self) -> int:
        return len(self._lines) - self._start

    def accept(self, message: TickMessage) -> int:
        """Take in the ticks of *message* above `newest`; return how many: they are its last ones."""
        _, epoch, first, published, _, lines = message
        newest = self.newest
        if newest is None:
            # Whoever begins reading cannot know what came before, so it is not "not in the log" but forgotten.
            self.forgot = Position(epoch, first - 1)
        elif epoch <= newest.epoch:
            if epoch < newest.epoch:
                return 0
            known = newest.seq + 1 - first
            if known > 0:
                if known >= len(lines):
                    return 0
                first, lines = first + known, lines[known:]
        if newest is not None and self._is_cut(newest, epoch, first):
            self.forgot = Position(epoch, first - 1)
        self.broken = False
        count = len(lines)
        if count == 1:
            self._epochs.append(epoch)
            self._seqs.append(first)
            self._lines.append(lines[0])
            self.bytes += TICK_BYTES + len(lines[0])
        else:
            self._epochs.extend([epoch] * count)
            self._seqs.extend(range(first, first + count))
            self._lines.extend(lines)
            self.bytes += TICK_BYTES * count + sum(map(len, lines))
        self.count += count
        self.newest = Position(epoch, first + count - 1)
        self.published = max(self.published, published)
        return count

    def _is_cut(self, newest: Position, epoch: int, first: int) -> bool:
        """Whether the log may have more between *newest* and what comes now.

        Where nothing was skipped, what is missing is not in the log, and a run begins with seq 1 or has lost it.
        """
        if epoch > newest.epoch:
            return self.broken or first != 1
        return self.broken and first != newest.seq + 1

    def forget(self, ticks: int) -> int:
        """Drop the oldest *ticks*, but never the newest tick; return how many went."""
        start = self._start
        end = min(start + ticks, len(self._lines) - 1)
        if end <= start:
            return 0
        gone = Position(self._epochs[end - 1], self._seqs[end - 1])
        self.forgot = gone if self.forgot is None else max(self.forgot, gone)
        lines = self._lines
        for index in range(start, end):
            self.bytes -= TICK_BYTES + len(lines[index] or b"")
            lines[index] = None
        self._start = end
        if end > _SPARE:
            del lines[:end], self._epochs[:end], self._seqs[:end]
            self._start = 0
        return end - start

    def last(self) -> Page:
        """The newest tick alone."""
        return self._page(max(self._start, len(self._lines) - 1))

    def after(self, position: Position) -> Page:
        """What follows *position*, as far as one page goes; nothing up to `forgot`: it would join nothing."""
        position = position if self.forgot is None else max(position, self.forgot)
        begin = bisect_left(self._epochs, position.epoch, self._start)
        end = bisect_right(self._epochs, position.epoch, begin)
        return self._page(bisect_right(self._seqs, position.seq, begin, end))

    def _page(self, begin: int) -> Page:
        ticks: list[tuple[Position, bytes]] = []
        size = 0
        for index in range(begin, len(self._lines)):
            line = self._lines[index] or b""
            size += len(line)
            if size > PAGE_BYTES and ticks:
                return Page(tuple(ticks), ticks[-1][0])
            ticks.append((Position(self._epochs[index], self._seqs[index]), line))
        return Page(tuple(ticks), self.newest)
