"""What stored candles tell of a day in the middle of which reading began.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.history.bar import Bar
from services.history.series import Series


class First(NamedTuple):
    """The first tick that was read: event time (µs), the day's volume by then, epoch."""

    time: int
    volume: int
    epoch: int


class Inherited(NamedTuple):
    """A day by its stored candles."""

    began: int
    opened: int
    """The start of its first candle."""
    bar: Bar


def inherit(minutes: Series, began: int) -> Inherited | None:
    """Return the day that began at *began*; None where it has no candle."""
    bar, opened = Bar(), 0
    for row in minutes:
        if row.day >= began:
            opened = opened if bar.trades else row.start
            bar.merge(Bar.of(row))
    return Inherited(began, opened, bar) if bar.trades else None


def day_of(first: First, minutes: Series, labels: Mapping[int, int], minute: int) -> int | None:
    """Return when the day of *first* began, by the stored candles; None: they are of other days.

    *labels*: of each day that candles name, the start of the newest such candle.  *minute*: that of *first*.
    """
    known = (day for day in labels if day < first.time)
    label = max(known, key=lambda day: (labels[day], day), default=None)
    if label is None or labels[label] > minute:
        return label
    # The feed's volume never falls within a day: more traded than it says means another day.
    before = (row for row in minutes if row.day >= label and (row.start < minute or row.epoch < first.epoch))
    return label if sum(row.volume for row in before) <= first.volume else None
