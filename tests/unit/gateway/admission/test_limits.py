"""The token bucket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.limits import TokenBucket


def test_burst_then_rate() -> None:
    """The burst is allowed at once, afterwards only the rate."""
    bucket = TokenBucket(10, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(0.09)
    assert bucket.take(0.15)
    assert not bucket.take(0.15)


def test_rest_saves_at_most_the_burst() -> None:
    """A client that was quiet for an hour may send one burst."""
    bucket = TokenBucket(50, 2, 0.0)
    assert [bucket.take(3600.0) for _ in range(3)] == [True, True, False]


@given(st.lists(st.floats(0, 1), max_size=200), st.floats(0.1, 100), st.integers(1, 20))
def test_never_more_than_promised(pauses: list[float], rate: float, burst: int) -> None:
    """In any stretch from the start at most burst + rate x time commands pass."""
    bucket, now, taken = TokenBucket(rate, burst, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        assert taken <= burst + rate * now + 1e-6
