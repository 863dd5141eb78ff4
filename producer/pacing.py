"""When to make which ticks: absolute deadlines on a grid, so that no delay adds up.  Pure.

Times are whole microseconds: *now* on a clock that never goes back, *wall* since 1970, offsets since the start.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CATCH_UP_US: Final = 2_000_000
"""How late ticks may still be made; what was due earlier is skipped: holes, which are counted."""
PASS_US: Final = 20_000
"""Most schedule in one pass: at 50,000 ticks/s 1,000 ticks, about 20 ms of work, between two turns of the loop."""
STEP_US: Final = 1_000_000
"""Disagreement between the two clocks upon which the wall clock counts as set, or the machine as suspended."""


class Pass(NamedTuple):
    """What one turn of the loop shall do."""

    skip: int | None
    """Offset up to which the schedule is skipped first; None: nothing is."""
    until: int
    """Offset up to which ticks are made then."""
    base: int
    """Microseconds since 1970 at offset 0."""


def default_interval_ms(rate: float) -> float:
    """Return the pacing interval for *rate* ticks per second (`docs/architecture.md`).

    At 20,000 ticks/s over 100 symbols 20 ms instead of 5 halve RabbitMQ's work (0.94 to 0.47 of a core with its
    log) and bring the ticks through sooner: p99 67 ms instead of 223, since messages no longer queue up in it.
    """
    if rate < 5_000:  # noqa: PLR2004 - the design's figures, said once
        return 1.0
    return 5.0 if rate < 20_000 else 20.0  # noqa: PLR2004 - as above


class Pacing:
    """The schedule of one run, which begins at *now*, in steps of *interval* microseconds."""

    def __init__(self, interval: int, now: int, wall: int) -> None:
        self._interval, self._start, self._base = interval, now, wall - now
        self._done = -1
        self._wanted = 0
        self.lag = 0
        """Microseconds by which the newest pass was late."""
        self.clock_steps = 0
        """How often the wall clock was set."""

    def turn(self, now: int, wall: int) -> Pass:
        """Return what to do at *now*."""
        elapsed = now - self._start
        self.lag = max(0, elapsed - self._wanted)
        if abs(wall - now - self._base) > STEP_US:
            self._base = wall - now
            self.clock_steps += 1
        skip = elapsed - CATCH_UP_US if self.lag > CATCH_UP_US else None
        begin = max(self._done, self._wanted - self._interval) if skip is None else skip
        slot = elapsed - elapsed % self._interval
        self._done = max(self._done, min(slot, begin + max(PASS_US, self._interval)), skip or 0)
        return Pass(skip, self._done, self._base + self._start)

    def wait(self, now: int, next_due: int) -> int:
        """Return the microseconds until the next pass, at least 0; nothing more is due before *next_due*."""
        self._wanted = -(-(max(next_due, self._done) + 1) // self._interval) * self._interval
        return max(0, self._start + self._wanted - now)
