"""The histogram of plain integers."""

from __future__ import annotations

import pytest

from services.telemetry.histogram import Histogram


def test_values_fall_into_their_buckets() -> None:
    """A value counts for every bound that it does not exceed, and the last count is all."""
    spread = Histogram((0.5, 1.0, 2.0))
    for value in (0.0, 0.5, 1.5, 99.0):
        spread.observe(value)
    assert spread.buckets() == [("0.5", 2.0), ("1.0", 2.0), ("2.0", 3.0), ("+Inf", 4.0)]
    assert (spread.count, spread.total) == (4, 101.0)


def test_values_in_parts_of_the_unit() -> None:
    """Microseconds fall into buckets of seconds, and their sum is seconds."""
    spread = Histogram((0.0001, 0.00025), parts=1_000_000)
    spread.observe_all([100, 101, 250, 251], times=2)
    assert spread.buckets() == [("0.0001", 2.0), ("0.00025", 6.0), ("+Inf", 8.0)]
    assert spread.total == pytest.approx(2 * 702 / 1e6)


def test_nothing_yet() -> None:
    """A histogram that has seen nothing shows every bucket, with zero."""
    assert Histogram((1.0,)).buckets() == [("1.0", 0.0), ("+Inf", 0.0)]
