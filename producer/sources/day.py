"""The simulated trading day: how busy it is when, and what that does to the schedule.  Pure.

Three times are told apart.  *Activity* is the market's own time, in which ticks arrive at constant rates and
prices diffuse.  *Session* time is what a clock in the simulated exchange shows: activity runs through it quickly
near open and close and slowly around noon, which is the U shape that intraday volume has.  *Offset* is session
time at the pace that the wanted rate asks for, in microseconds.

A run begins at START_MINUTE, where the day is as busy as on average, so that a short run has the rate that was
asked for (0.2 % off after a minute at 2,000 ticks/s of the built-in symbols), and a whole day has it exactly.
"""

from __future__ import annotations

from math import cos, fsum, pi
from typing import Final, NamedTuple

DAY_MINUTES: Final = 390
"""09:30 to 16:00 New York time; the simulated market opens again at once."""
DAY_S: Final = DAY_MINUTES * 60
DEPTH: Final = 0.4
"""Open and close are 1.4 times as busy as the average, noon is 0.6 times."""
START_MINUTE: Final = 97

_BUSY: Final = [1 + DEPTH * cos(2 * pi * (minute + 0.5) / DAY_MINUTES) for minute in range(DAY_MINUTES)]
BUSYNESS: Final = tuple(busy * DAY_MINUTES / fsum(_BUSY) for busy in _BUSY)
"""Activity per second of session time, by minute of the day; 1 on average."""
BEFORE_START: Final = 60 * fsum(BUSYNESS[:START_MINUTE])
"""Activity seconds of the first day that are over when a run begins."""


class Stretch(NamedTuple):
    """A minute of session time, on which activity and offset are proportional."""

    minute: int
    begins: float
    """Activity seconds since the run began."""
    ends: float
    origin: float
    """Offset, in microseconds, that activity 0 would have on this stretch's line."""
    slope: float
    """Microseconds of offset per activity second."""
    until: float
    """Offset at *ends*."""

    def offset(self, activity: float) -> float:
        """The offset at *activity*, which lies on this stretch."""
        return self.origin + activity * self.slope

    def activity(self, offset: float) -> float:
        """The activity at *offset*, which lies on this stretch."""
        return (offset - self.origin) / self.slope


def first_stretch(pace: float) -> Stretch:
    """The stretch at which a run begins; *pace* is microseconds of offset per second of session time."""
    return _stretch(START_MINUTE, 0.0, 0, pace)


def next_stretch(stretch: Stretch, pace: float) -> Stretch:
    """The stretch that follows."""
    return _stretch(stretch.minute + 1, stretch.ends, stretch.minute + 1 - START_MINUTE, pace)


def _stretch(minute: int, begins: float, elapsed: int, pace: float) -> Stretch:
    busyness = BUSYNESS[minute % DAY_MINUTES]
    slope, start = pace / busyness, elapsed * 60 * pace
    return Stretch(
        minute, begins, begins + 60 * busyness, start - begins * slope, slope, (elapsed + 1) * 60 * pace
    )


def day_of(activity: float) -> int:
    """Which day, counted from 0, *activity* seconds after the start of a run fall on."""
    return int((activity + BEFORE_START) // DAY_S)


def day_begins(day: int) -> float:
    """The activity at which *day* begins; below 0 for the day on which the run began."""
    return day * DAY_S - BEFORE_START
