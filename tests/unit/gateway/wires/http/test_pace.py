"""How much each client may ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.limits import TokenBucket
from gateway.wires.http.pace import Pace


def test_burst_and_rate() -> None:
    """A client may have its burst at once, then one after the other; another one's is its own."""
    pace = Pace(2.0, 3)
    for _ in range(3):
        assert pace.wait("a", 0.0) == 0
        pace.spend("a", 0.0)
    assert 0.49 < pace.wait("a", 0.0) < 0.51
    assert pace.wait("b", 0.0) == 0
    assert pace.wait("a", 0.5) == 0


def test_debt() -> None:
    """Who took more than there was waits until that is made up for; more than the burst is not waited for."""
    pace = Pace(10.0, 20)
    pace.spend("a", 0.0, 120)
    assert 10.0 < pace.wait("a", 0.0) < 10.2
    assert pace.wait("b", 0.0, 1_000) == 0


def test_memory() -> None:
    """No more clients are remembered than may be, and those that are full again go by themselves."""
    pace = Pace(1.0, 5, most=10)
    for n in range(50):
        pace.spend(f"client {n}", 0.0)
    assert len(pace) == 10
    for n in range(10):
        pace.spend("late", 100.0 + n)
    assert len(pace) == 1


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 5)), max_size=40))
def test_like_a_bucket(steps: list[tuple[float, int]]) -> None:
    """It allows what a bucket of tokens allows."""
    pace, bucket, now = Pace(3.0, 10), TokenBucket(3.0, 10, 0.0), 0.0
    for later, amount in steps:
        now += later
        waits, lacks = pace.wait("a", now, 1), bucket.wait(now)
        assert abs(waits - lacks) < 1e-6
        pace.spend("a", now, amount)
        bucket.spend(now, amount)
