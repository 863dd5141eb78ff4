"""One symbol's candles and its day, counted from ticks and from the candles that were stored before.  Pure.

Trades are counted into the growing second alone; what is finished goes on into the minute and the day.  Event time
that goes back counts into the second that grows: a finished candle is never opened again.

A day begins with a tick whose volume is below that of the tick before.  Whoever begins reading in the middle of a
day learns the rest from stored candles of one minute (`inherit`).  Nothing counts twice: highest and lowest may be
met twice, the opening is the earliest one, the volume is the feed's own, and a candle has a name (`Row.key`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from services.history.bar import Bar
from services.history.holes import Holes
from services.history.inheritance import First, Inherited, day_of, inherit
from services.history.series import Row, Series
from services.market.candle import MINUTE, SECOND
from services.market.day import Day
from services.market.position import Position
from services.market.wire import TickMessage, read_trade

SECOND_US: Final = SECOND * 1_000_000
MINUTE_US: Final = MINUTE * 1_000_000
SETTLE_S: Final = 65.0
"""A minute without a later tick is finished so long after its first trade was read: well below the 120 s that a
successor reads back, so that it finds the minute stored or reads all of it."""
AHEAD_US: Final = 5_000_000
"""How far a tick's time may lie ahead of its publishing; beyond it counts as this far: one wrong time would
otherwise draw all later trades into a candle of the far future."""
SKEW_US: Final = 1_000_000
"""How much the producers' clocks may disagree, where the first entry read tells which minutes were read whole."""
LABELS: Final = 16
"""Most days that stored candles of one symbol are known of; the oldest is forgotten."""


class Chart:
    """One symbol, with at most *seconds* and *minutes* finished candles."""

    __slots__ = (
        "_at",
        "_began",
        "_day",
        "_decimals",
        "_dirty",
        "_end",
        "_exact",
        "_finished",
        "_first",
        "_floor",
        "_holes",
        "_inherited",
        "_labels",
        "_minute",
        "_minute_read",
        "_opened",
        "_partial",
        "_second",
        "_seconds_from",
        "_skipped",
        "_volume",
        "_whole_from",
        "minutes",
        "seconds",
    )

    def __init__(self, *, seconds: int, minutes: int) -> None:
        self.seconds, self.minutes = Series(seconds), Series(minutes)
        self._second, self._minute, self._day = Bar(), Bar(), Bar()
        self._end = self._floor = 0
        self._minute_read = 0.0
        self._whole_from = 0
        self._partial: set[tuple[int, int]] = set()
        self._finished: list[Row] = []
        self._began = self._volume = self._decimals = 0
        self._exact = False
        self._first: First | None = None
        self._opened: tuple[int, bool] = (
            0,
            False,
        )  # minute of the day's first trade, and whether it was read whole
        self._at: tuple[int, int] | None = None
        self._labels: dict[int, int] = {}
        self._seconds_from = 0
        self._skipped = False
        self._holes = Holes()
        self._inherited: Inherited | None = None
        self._dirty = False

    # ------------------------------------------------------------------------------------------------- taking in

    def count(self, message: TickMessage, new: int, now: float, since: int) -> None:
        """Count the last *new* ticks of *message*, read at *now* (s, on the clock that never goes back).

        *since*: when the first message of all that this process read was published (µs).
        """
        epoch, bar, before = message.epoch, self._second, self.clock
        torn = self._is_torn(epoch, message.first + len(message.lines) - new)
        lines = message.lines if new == len(message.lines) else message.lines[-new:]
        for line in lines:
            ts, price, size, volume, decimals = read_trade(line)
            if volume < self._volume or self._first is None:
                self._begin_day(ts, volume, message, since)
            self._volume = volume
            if ts >= self._end:
                self._advance(ts, message.published)
            if not size:
                continue
            if not bar.trades:
                bar.begin(bar.start, epoch, price, size, decimals)
                self._traded(now)
                continue
            if decimals != bar.decimals:
                bar.scale(decimals)
                price *= 10 ** (bar.decimals - decimals)
            if price > bar.high:
                bar.high = price
            elif price < bar.low:
                bar.low = price
            bar.close, bar.epoch = price, epoch
            bar.volume += size
            bar.trades += 1
        if torn:
            self._holes.add(before, self.clock + SECOND_US)
        self._decimals = decimals
        self._at = (epoch, message.first + len(message.lines) - 1)

    def resume(self, published: int) -> None:
        """Reading goes on, with gaps, at a message *published* then (µs): minutes up to it are not whole."""
        self._whole_from = max(self._whole_from, published - published % MINUTE_US + MINUTE_US)
        self._skipped = True

    def add(self, row: Row) -> bool:
        """Take in a stored candle of one minute; return whether it told anything new."""
        own = row.key in self._partial
        added = self.minutes.add(row, replace=own)
        if added:
            self._partial.discard(row.key)
        known = self._began if self._inherited is None else self._inherited.began
        # A candle of our own comes back from the log under the day that we took it for: that proves nothing.
        if (added or row.day != known) and row.start >= self._labels.get(row.day, -1):
            self._labels[row.day] = row.start
            if len(self._labels) > LABELS:
                del self._labels[min(self._labels)]
        if self._first is None or row.day != known or row.start <= self._first.time:
            self._dirty = True
        return added

    def settle(self, now: float) -> None:
        """Finish the minute where it has waited for a later tick for too long."""
        if (self._second.trades or self._minute.trades) and now - self._minute_read >= SETTLE_S:
            end = self._minute.start + MINUTE_US
            self._finish_minute()
            self._floor, self._end = end, 0

    def finished(self) -> list[Row]:
        """Take the minutes that were read whole, are finished, and nobody has stored yet."""
        if not self._finished:
            return []
        rows, self._finished = self._finished, []
        began = self._day_began()
        # The day's beginning may have been learned since; a candle of the day before keeps its own.
        return [row._replace(day=began) if row.day >= self._began else row for row in rows]

    # ----------------------------------------------------------------------------------------------------- telling

    @property
    def day(self) -> Day | None:
        """The day as it stands, None before the first tick."""
        if self._at is None:
            return None
        bar = Bar()
        for part in (self._day, self._second):
            if part.trades:
                bar.merge(part)
        inherited = self._inherit()
        if inherited is not None:
            bar = _joined(bar, inherited.bar, ours_first=self._opened_before(inherited))
        bar.scale(self._decimals)
        at, traded = Position(*self._at), bar.trades > 0
        return Day(
            self._day_began(),
            bar.open if traded else None,
            bar.high if traded else None,
            bar.low if traded else None,
            self._volume,
            max(bar.decimals, self._decimals),
            at,
        )

    @property
    def at(self) -> Position | None:
        """Up to which position the candles count; None before the first tick."""
        return None if self._at is None else Position(*self._at)

    @property
    def clock(self) -> int:
        """The least time, in whole seconds, that a later tick counts at (µs)."""
        return max(self._second.start, self._floor)

    def rows(self, step: int, since: int, limit: int) -> list[Row]:
        """The newest *limit* candles of *step* that start at *since* or later; the last one may grow.

        They count exactly the ticks up to `at`.
        """
        if limit <= 0:
            return []
        growing = _copy(self._second)
        if step == SECOND:
            rows = self.seconds.since(since, limit)
        else:
            rows = [row for row in self.minutes.since(since, limit + 1) if not self._is_ahead(row)]
            growing = _copy(self._minute)
            if self._second.trades:
                growing.merge(self._second)
        row = growing.row(self._day_began())
        if growing.trades and row.start >= since:
            rows.append(row)
            rows.sort(key=lambda kept: kept.start)
        return _united(rows)[-limit:]

    def partial(self, step: int, starts: Iterable[int]) -> Iterator[int]:
        """Yield those of *starts* whose candles of *step* may lack trades."""
        us = step * 1_000_000
        begun = {start for start, _ in self._partial}
        if self._minute.start < self._whole_from:
            begun.add(self._minute.start)
        for start in starts:
            unread = start < self._seconds_from if step == SECOND else start in begun
            if unread or self._holes.touch(start, us):
                yield start

    # ------------------------------------------------------------------------------------------------------ inside

    def _is_ahead(self, row: Row) -> bool:
        """Whether a minute is one that another replica has stored, which has read on beyond our `at`."""
        minute = self.clock - self.clock % MINUTE_US
        return self._at is not None and row.start >= minute and row.epoch >= self._at[0]

    def _is_torn(self, epoch: int, first: int) -> bool:
        """Whether ticks lack between `at` and what comes now; a later epoch's tick ends the one before."""
        skipped, self._skipped = self._skipped, False
        if self._at is None:
            return False
        if epoch == self._at[0]:
            return first != self._at[1] + 1
        return skipped or first != 1

    def _begin_day(self, ts: int, volume: int, message: TickMessage, since: int) -> None:
        ts = min(ts, message.published + AHEAD_US)
        self._exact = self._first is not None
        if self._exact:
            self._finish_second()
            # Within a run a day that begins in the middle of a minute does not cut it: a candle's name is its own.
            if message.epoch != self._minute.epoch or ts >= self._minute.start + MINUTE_US:
                self._finish_minute()
        else:
            minute = ts - ts % MINUTE_US
            self._whole_from = min(minute + MINUTE_US, since + SKEW_US)
            self._seconds_from = min(ts - ts % SECOND_US + SECOND_US, since + SKEW_US)
        self._day = Bar()
        self._began, self._first = ts, First(ts, volume, message.epoch)
        self._opened = (0, False)
        self._inherited, self._dirty = None, bool(len(self.minutes))

    def _advance(self, ts: int, published: int) -> None:
        """Go on to the second of *ts*, unless that is no later than where we are."""
        ts = max(min(ts, published + AHEAD_US), self._floor)
        if ts < self._end:
            return
        start = ts - ts % SECOND_US
        minute = start - start % MINUTE_US
        if minute != self._minute.start:
            self._finish_minute()
            self._minute.start = minute
        else:
            self._finish_second()
        self._second.start, self._end = start, start + SECOND_US

    def _traded(self, now: float) -> None:
        """The growing second has its first trade."""
        if not self._minute.trades:
            self._minute_read = now
        if not self._day.trades and not self._opened[0]:
            minute = self._minute.start
            self._opened = (minute, minute >= self._whole_from)

    def _finish_second(self) -> None:
        bar = self._second
        if not bar.trades:
            return
        row = bar.row(self._day_began())
        if not self.seconds.add(row):  # a day began in the middle of it
            self.seconds.add(_united([*self.seconds.since(row.start, 1), row])[0], replace=True)
        self._minute.merge(bar)
        self._day.merge(bar)
        bar.trades = 0

    def _finish_minute(self) -> None:
        self._finish_second()
        bar = self._minute
        if not bar.trades:
            return
        row = bar.row(self._day_began())
        bar.trades = 0
        if not self.minutes.add(row):
            return
        if row.start >= self._whole_from:
            self._finished.append(row)
        else:
            self._partial.add(row.key)

    def _day_began(self) -> int:
        inherited = self._inherit()
        return self._began if inherited is None else min(self._began, inherited.began)

    def _inherit(self) -> Inherited | None:
        if self._dirty and self._first is not None:
            self._dirty = False
            minute = self._first.time - self._first.time % MINUTE_US
            began = None if self._exact else day_of(self._first, self.minutes, self._labels, minute)
            self._inherited = inherit(self.minutes, self._began if began is None else began)
        return self._inherited

    def _opened_before(self, inherited: Inherited) -> bool:
        """Whether the day's first trade is one that we have read ourselves."""
        minute, whole = self._opened
        return minute < inherited.opened or (minute == inherited.opened and whole)


def _copy(bar: Bar) -> Bar:
    return Bar.of(bar.row(0))


def _joined(own: Bar, inherited: Bar, *, ours_first: bool) -> Bar:
    """Both together.  What is in both does not matter: volume and number are not looked at."""
    first, second = (own, inherited) if own.trades and ours_first else (inherited, own)
    bar = _copy(first)
    if second.trades:
        bar.merge(second)
    return bar


def _united(rows: list[Row]) -> list[Row]:
    """One candle where a day ended and another began within it."""
    united: list[Row] = []
    for row in rows:
        if united and united[-1].start == row.start:
            bar = Bar.of(united[-1])
            bar.merge(Bar.of(row))
            united[-1] = bar.row(row.day)
        else:
            united.append(row)
    return united
