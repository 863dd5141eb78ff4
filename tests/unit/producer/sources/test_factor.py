"""The common market factor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.factor import Factor


@given(forgotten=st.lists(st.floats(0, 3_000), max_size=6), at=st.floats(0, 100))
def test_forgetting_changes_nothing_that_follows(forgotten: list[float], at: float) -> None:
    """Whatever was forgotten, in small steps or at once, the path goes on as it would have."""
    whole, partial = Factor(3), Factor(3)
    for before in sorted(forgotten):
        partial.forget(before)
    place = max(forgotten, default=0.0) + at
    assert partial.level(place) == pytest.approx(whole.level(place), rel=1e-9, abs=1e-15)


def test_memory_is_bounded_by_what_is_not_forgotten() -> None:
    """Only what lies after the forgotten part is kept."""
    factor = Factor(3)
    factor.level(5_000.0)
    factor.forget(4_990.0)
    assert len(factor._levels) <= 14


def test_path_is_continuous() -> None:
    """Between two steps the path is straight."""
    factor = Factor(3)
    low, high = factor.level(7.0), factor.level(8.0)
    assert factor.level(7.5) == pytest.approx((low + high) / 2)


def test_a_seed_is_a_market() -> None:
    """The same seed is the same path, another one is not."""
    assert Factor(1).level(50.5) == Factor(1).level(50.5) != Factor(2).level(50.5)
