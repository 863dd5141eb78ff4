"""The candles of one symbol and step, continued tick by tick from where history's end.  Pure.

The rules of time are history's (`services.history.chart`), or the candles of two clients would differ: a tick of
an earlier time counts into the second that grows, and quotes move the time on.  The caller sees to it that the
ticks come in order and without a hole; `count` says where they do not.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from enum import StrEnum
from typing import Final

from gateway.candles.growing import Growing
from services.broker.history import CandleAnswer
from services.market.position import Position
from services.market.wire import read_trade

MOST: Final = 500
"""Most candles kept of one symbol and step: as many as history says in one answer.  About 90 KB."""
SPARE: Final = 32
"""Candles beyond `MOST` after which the oldest are dropped: each cut moves all the others."""
AHEAD_US: Final = 4_000_000
"""How far a tick's time may lie ahead of its publishing.  History draws the line at 5 s and moves what is beyond;
its clock and ours are not the same, so what is near that line is history's to say."""
SETTLED_US: Final = 4_000_000
"""How long after a minute's end (by its publishing) a tick of it may come and be counted here.  History finishes a
minute 65 s after it has read its first trade, and counts a later tick of it into the next one."""
TIMELY_US: Final = 30_000_000
"""How far time may lag behind publishing; beyond it the ticks are a recording's, and the rule above rests."""
_MINUTE_US: Final = 60_000_000
_SECOND_US: Final = 1_000_000


class Doubt(StrEnum):
    """Why the candles cannot be continued: history is asked for them again."""

    HOLE = "hole"
    """Ticks lack."""
    AHEAD = "ahead"
    """A tick's time is so far ahead that only history knows where it counts."""
    LATE = "late"
    """A tick is of a minute that history may have finished without it."""


class Series:
    """Candles as bytes, the last one as numbers.

    *version* counts the turns at which something had changed; what changed after turn n has a stamp above n.
    """

    __slots__ = (
        "_closed",
        "_growing",
        "_minute_end",
        "_stamps",
        "_timely",
        "_torn",
        "_whole_from",
        "alone",
        "at",
        "clock",
        "size",
        "step_us",
        "version",
    )

    def __init__(self, step: int) -> None:
        self.step_us = step * 1_000_000
        self._closed: list[bytes] = []
        self._stamps = array("q")
        self._growing: Growing | None = None
        self._whole_from = 0
        self._torn = False
        self._minute_end = 0
        self._timely = True
        self.at: Position | None = None
        """Up to which tick the candles count; None: the next one may be any."""
        self.clock = 0
        """The least time that a tick counts at (µs, a whole second)."""
        self.size = 0
        """Bytes of the finished candles."""
        self.alone = False
        """Whether it goes on without history."""
        self.version = 1

    def __len__(self) -> int:
        return len(self._closed) + (self._growing is not None)

    # ------------------------------------------------------------------------------------------------ beginning

    def load(self, answer: CandleAnswer) -> None:
        """Begin with what history says, whose `top` is not None."""
        self.at, self._whole_from, self.alone = answer.top, 0, False
        self._set_clock(answer.clock)
        self._torn = False
        self._closed, self._stamps, self._growing, self.size = [], array("q"), None, 0
        self.version += 1
        partial, now = frozenset(answer.partial), self.clock - self.clock % self.step_us
        for candle in answer.candles:
            if candle.start > now:
                break  # of an earlier run, whose time was ahead: nothing would ever join it
            if self._growing is not None:
                self._close(self._growing)
            self._growing = Growing.of(candle, partial=candle.start in partial)
            self._growing.stamp = self.version

    def tear(self) -> None:
        """Ticks lack from here on, and nobody says which: what grows now may lack trades."""
        self.at, self._torn = None, True
        if self._growing is not None and not self._growing.partial:
            self._growing.doubt()
            self._growing.stamp = self.version + 1

    def skip(self, position: Position) -> None:
        """Go on after *position*, without what lacks before it: the candle of the next tick may lack trades."""
        self.at, self._torn = position, True

    def join(self, position: Position, line: bytes, published: int) -> None:
        """Go on, without history, after the tick *line* at *position*; it is not counted, nor what came before."""
        self.at, self.alone = position, True
        ts = read_trade(line)[0]
        self._set_clock(max(self.clock, _second(min(ts, published + AHEAD_US) if published else ts)))
        self._mend()

    # ------------------------------------------------------------------------------------------------- counting

    def count(self, lines: bytes, published: int) -> Doubt | None:
        """Count consecutive ticks with a newline between, published by *published* (µs; 0: not known)."""
        settled = self._timely and not self.alone and published > self._minute_end + SETTLED_US
        for line in lines.split(b"\n"):
            at = self.at
            if at is None or int(line[7 : line.index(b",")]) != at.seq + 1:  # {"seq":
                return Doubt.HOLE
            ts, price, size, _, decimals = read_trade(line)
            if settled and ts < self._minute_end:
                return Doubt.LATE
            if ts >= self.clock + _SECOND_US:
                if published and ts > published + AHEAD_US:
                    if not self.alone:
                        return Doubt.AHEAD
                    ts = max(self.clock, published + AHEAD_US)
                self._set_clock(_second(ts))
                self._timely = published - ts < TIMELY_US
            if self._torn:
                self._mend()
            self.at = at.following
            if size:
                self._trade(at.epoch, price, size, decimals)
        return None

    def turn_epoch(self, epoch: int) -> None:
        """The ticks go on in a later epoch, from seq 1; those of the earlier one have all come."""
        self.at = Position(epoch, 0)

    def _set_clock(self, second: int) -> None:
        self.clock = second
        self._minute_end = second - second % _MINUTE_US + _MINUTE_US

    def _mend(self) -> None:
        """From the next step on nothing lacks any more."""
        self._torn = False
        self._whole_from = self.clock - self.clock % self.step_us + self.step_us

    def _trade(self, epoch: int, price: int, size: int, decimals: int) -> None:
        start = self.clock - self.clock % self.step_us
        growing = self._growing
        if growing is not None and growing.start == start:
            growing.add(epoch, price, size, decimals)
        else:
            if growing is not None:
                self._close(growing)
            growing = self._growing = Growing(
                start, epoch, price, size, decimals, partial=start < self._whole_from
            )
        growing.stamp = self.version + 1

    def _close(self, growing: Growing) -> None:
        text = growing.text
        self._closed.append(text)
        self._stamps.append(growing.stamp)
        self.size += len(text)
        if len(self._closed) >= MOST + SPARE:
            self.size -= sum(map(len, self._closed[:SPARE]))
            del self._closed[:SPARE], self._stamps[:SPARE]

    # -------------------------------------------------------------------------------------------------- telling

    def turn(self) -> bool:
        """Begin a new turn; return whether anything changed since the last one."""
        changed = self._growing is not None and self._growing.stamp > self.version
        self.version += changed
        return changed

    def changes(self, told: int) -> tuple[bytes, ...]:
        """The candles that changed after turn *told*, oldest first."""
        rows = self._closed[bisect_right(self._stamps, told) :]
        if self._growing is not None and self._growing.stamp > told:
            rows.append(self._growing.text)
        return tuple(rows)

    def newest(self, count: int) -> tuple[bytes, ...]:
        """The newest *count* candles, oldest first."""
        if count <= 0:
            return ()
        if self._growing is None:
            return tuple(self._closed[-count:])
        return (*self._closed[max(0, len(self._closed) - count + 1) :], self._growing.text)


def _second(ts: int) -> int:
    return ts - ts % _SECOND_US
