"""One symbol's candles and its day, counted from ticks and from the candles that were stored before.  Pure.

Trades are counted into the growing second alone; what is finished goes on into the minute and the day.  Event time
that goes back counts into the second that grows: a finished candle is never opened again.

A day begins with a tick whose volume is below that of the tick before.  Whoever begins reading in the middle of a
day learns the rest from stored candles of one minute (`inherit`).  Nothing counts twice: highest and lowest may be
met twice, the opening is the earliest one, the volume is the feed's own, and a candle has a name (`Row.key`).
"""

from __future__ import annotations

from typing import Final

from services.history.bar import Bar
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
        "_inherited",
        "_labels",
        "_minute",
        "_minute_read",
        "_opened",
        "_partial",
        "_second",
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
        self._first: tuple[int, int, int] | None = None  # time, volume and epoch of the day's first tick read
        self._opened: tuple[int, bool] = (
            0,
            False,
        )  # minute of the day's first trade, and whether it was read whole
        self._at: tuple[int, int] | None = None
        self._labels: dict[int, int] = {}
        self._inherited: Bar | None = None
        self._dirty = False

    # ------------------------------------------------------------------------------------------------- taking in

    def count(self, message: TickMessage, new: int, now: float, since: int) -> None:
        """Count the last *new* ticks of *message*, read at *now* (s, on the clock that never goes back).

        *since*: when the first message of all that this process read was published (µs).
        """
        epoch, bar = message.epoch, self._second
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
        self._decimals = decimals
        self._at = (epoch, message.first + len(message.lines) - 1)

    def add(self, row: Row) -> bool:
        """Take in a stored candle of one minute; return whether it told anything new."""
        own = row.key in self._partial
        added = self.minutes.add(row, replace=own)
        if added:
            self._partial.discard(row.key)
        known = self._began if self._inherited is None else self._inherited.start
        # A candle of our own comes back from the log under the day that we took it for: that proves nothing.
        if (added or row.day != known) and row.start >= self._labels.get(row.day, -1):
            self._labels[row.day] = row.start
            if len(self._labels) > LABELS:
                del self._labels[min(self._labels)]
        if self._first is None or row.day != known or row.start <= self._first[0]:
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
        inherited = self._inherit()
        if inherited is not None:
            bar.merge(inherited)
        for part in (self._day, self._second):
            if part.trades:
                bar.merge(part)
        bar.scale(self._decimals)
        if self._day.trades or self._second.trades:
            self._open_first(bar, inherited)
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

    def rows(self, step: int, since: int, limit: int) -> list[Row]:
        """The newest *limit* candles of *step* that start at *since* or later; the last one may grow."""
        series = self.seconds if step == SECOND else self.minutes
        rows = series.since(since, limit)
        growing = _copy(self._second)
        if step == MINUTE:
            growing = _copy(self._minute)
            if self._second.trades:
                growing.merge(self._second)
        row = growing.row(self._day_began())
        if growing.trades and row.start >= since and not series.has(row):
            rows.append(row)
            rows.sort(key=lambda kept: kept.start)
        return _united(rows)[-limit:] if limit > 0 else []

    # ------------------------------------------------------------------------------------------------------ inside

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
        self._day = Bar()
        self._began, self._first = ts, (ts, volume, message.epoch)
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
        inherited = self._inherit() if self._dirty else self._inherited
        return self._began if inherited is None else min(self._began, inherited.start)

    def _open_first(self, bar: Bar, inherited: Bar | None) -> None:
        """Let the opening be the earliest: `merge` took the inherited one, right unless ours is earlier."""
        if inherited is None:
            return
        minute, whole = self._opened
        first = self._first_inherited()
        if first is not None and (minute < first or (minute == first and whole)):
            own = _copy(self._day if self._day.trades else self._second)
            own.scale(bar.decimals)
            bar.open = own.open

    def _first_inherited(self) -> int | None:
        began = self._day_began()
        return next((row.start for row in self.minutes if row.day >= began), None)

    def _inherit(self) -> Bar | None:
        """What stored candles say of this day before we began to read; its `start` is the day's beginning."""
        if self._dirty and self._first is not None:
            self._dirty = False
            began = self._label()
            if began is not None:
                bar = Bar()
                for row in self.minutes:
                    if row.day >= began:
                        bar.merge(Bar.of(row))
                bar.start = began
                self._inherited = bar if bar.trades else None
        return self._inherited

    def _label(self) -> int | None:
        """The beginning of our day, as it stands in stored candles; None: they are of other days."""
        if self._exact or self._first is None:
            return self._began
        ts, volume, epoch = self._first
        label = max(
            (day for day in self._labels if day < ts), key=lambda day: (self._labels[day], day), default=None
        )
        if label is None:
            return self._began
        minute = ts - ts % MINUTE_US
        if self._labels[label] > minute:
            return label
        # The feed's volume never falls within a day: more traded than it says means another day.
        rows = (row for row in self.minutes if row.day >= label and (row.start < minute or row.epoch < epoch))
        before = sum(row.volume for row in rows)
        return label if before <= volume else self._began


def _copy(bar: Bar) -> Bar:
    return Bar.of(bar.row(0))


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
