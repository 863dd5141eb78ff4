"""The shape of the day, and the way from activity to the schedule."""

from __future__ import annotations

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.day import (
    BUSYNESS,
    DAY_MINUTES,
    DAY_S,
    START_MINUTE,
    day_begins,
    day_of,
    first_stretch,
    next_stretch,
)


def test_a_day_has_the_mean_that_was_asked_for() -> None:
    """Busyness is 1 on average, at its least around noon, and near 1 where a run begins."""
    assert fsum(BUSYNESS) == pytest.approx(DAY_MINUTES)
    assert BUSYNESS.index(min(BUSYNESS)) in (DAY_MINUTES // 2 - 1, DAY_MINUTES // 2)
    assert max(BUSYNESS) in (BUSYNESS[0], BUSYNESS[-1])
    assert BUSYNESS[START_MINUTE] == pytest.approx(1, abs=0.01)


@given(pace=st.floats(20, 2e9), stretches=st.integers(0, 100))
def test_stretches_join(pace: float, stretches: int) -> None:
    """Each stretch begins where the last one ended, in activity and in offset."""
    stretch = first_stretch(pace)
    assert stretch.offset(0.0) == 0
    for _ in range(stretches):
        following = next_stretch(stretch, pace)
        assert following.begins == stretch.ends
        assert following.offset(following.begins) == pytest.approx(stretch.until, rel=1e-12)
        stretch = following
    assert stretch.offset(stretch.ends) == pytest.approx(stretch.until, rel=1e-12)
    middle = (stretch.begins + stretch.ends) / 2
    assert stretch.activity(stretch.offset(middle)) == pytest.approx(middle)


def test_a_day_of_stretches_is_a_day() -> None:
    """After 390 stretches a day of activity has passed in a day of session time."""
    stretch = first_stretch(1e6)
    for _ in range(DAY_MINUTES - 1):
        stretch = next_stretch(stretch, 1e6)
    assert stretch.ends == pytest.approx(DAY_S)
    assert stretch.until == DAY_S * 1e6


def test_days_begin_where_they_are_counted() -> None:
    """The first day began before the run, and each lasts as long."""
    assert day_of(0.0) == 0
    assert day_begins(0) < 0
    for day in (1, 2, 30):
        assert day_of(day_begins(day) + 0.01) == day
        assert day_of(day_begins(day) - 0.01) == day - 1
