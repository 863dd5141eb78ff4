"""The schedule keeps absolute deadlines, catches up by 2 s, and skips the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.pacing import CATCH_UP_US, PASS_US, Pacing, Pass, default_interval_ms

WALL = 1_795_000_000_000_000
MS = 1_000


def start(interval: int = MS, now: int = 50) -> Pacing:
    """A schedule that began at *now*."""
    return Pacing(interval, now, WALL)


@pytest.mark.parametrize(
    ("rate", "interval"),
    [(1, 1.0), (4_999, 1.0), (5_000, 5.0), (19_999, 5.0), (20_000, 20.0), (50_000, 20.0)],
)
def test_default_interval(rate: float, interval: float) -> None:
    """The interval follows from the rate as the design says."""
    assert default_interval_ms(rate) == interval


def test_first_pass_is_at_once() -> None:
    """The first pass covers offset 0, the fence, and is not late."""
    pacing = start()
    assert pacing.turn(50, WALL) == Pass(None, 0, WALL)
    assert pacing.lag == 0


def test_deadlines_are_absolute() -> None:
    """A late pass moves no later deadline."""
    pacing = start()
    pacing.turn(50, WALL)
    assert pacing.wait(50, 0) == MS
    late = pacing.turn(50 + MS + 700, WALL + MS + 700)
    assert late.until == MS
    assert pacing.lag == 700
    assert pacing.wait(50 + MS + 700, 0) == 300


def test_idle_schedule_sleeps_until_the_next_tick() -> None:
    """Where nothing is due for long, the wait ends at the first deadline at which something is."""
    pacing = start()
    pacing.turn(50, WALL)
    assert pacing.wait(50, 7_300_123) == 7_301 * MS
    turn = pacing.turn(50 + 7_301 * MS, WALL + 7_301 * MS)
    assert turn == Pass(None, 7_301 * MS, WALL)
    assert pacing.lag == 0


def test_late_loop_catches_up_by_two_seconds() -> None:
    """What was due more than 2 s ago is skipped; what is younger is made, pass by pass."""
    pacing = start()
    pacing.turn(50, WALL)
    pacing.wait(50, 0)
    now = 5_000_000
    first = pacing.turn(50 + now, WALL + now)
    assert first == Pass(now - CATCH_UP_US, now - CATCH_UP_US + PASS_US, WALL)
    passes = 1
    while pacing.wait(50 + now, 0) == 0:
        assert pacing.turn(50 + now, WALL + now).skip is None
        passes += 1
    assert passes == CATCH_UP_US // PASS_US
    assert pacing.wait(50 + now, 0) == MS


def test_two_seconds_late_skip_nothing() -> None:
    """A loop that is late by exactly the limit makes everything."""
    pacing = start()
    pacing.turn(50, WALL)
    pacing.wait(50, 0)
    now = CATCH_UP_US + MS
    assert pacing.turn(50 + now, WALL + now).skip is None


def test_a_set_clock_moves_the_time_of_ticks() -> None:
    """When the wall clock is set by more than a second, event times follow it; a smaller error is left alone."""
    pacing = start()
    pacing.turn(50, WALL)
    pacing.wait(50, 0)
    assert pacing.turn(50 + MS, WALL + MS + 900_000).base == WALL
    pacing.wait(50 + MS, 0)
    assert pacing.turn(50 + 2 * MS, WALL + 2 * MS - 3_600_000_000).base == WALL - 3_600_000_000
    assert pacing.clock_steps == 1


@given(
    interval=st.integers(100, 20_000),
    steps=st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(0, 100_000)), max_size=40),
)
def test_every_offset_is_made_or_skipped_once(interval: int, steps: list[tuple[int, int]]) -> None:
    """Whatever the delays, passes go forward, never past the clock, in bounded portions, and leave nothing out."""
    pacing = Pacing(interval, 0, WALL)
    now = done = 0
    pacing.turn(0, WALL)
    for late, idle in steps:
        wait = pacing.wait(now, done + idle)
        now += wait + late
        quiet_until = max(done, done + idle - interval)
        turn = pacing.turn(now, WALL + now)
        assert turn.skip is None or done < turn.skip <= turn.until
        assert done <= turn.until <= now
        assert turn.until - max(turn.skip or 0, quiet_until) <= max(PASS_US, interval) + interval
        if late <= CATCH_UP_US and wait:
            assert turn.skip is None
        done = turn.until
