"""The histogram of delays."""

from __future__ import annotations

from producer.lags import EDGES, Lags


def test_delays_fall_into_their_buckets() -> None:
    """A delay counts for every edge that it does not exceed, and the last count is all."""
    lags = Lags()
    for delay in (0.0, 0.0001, 0.0015, 99.0):
        lags.note(delay)
    counts = dict(zip(EDGES, lags.cumulative, strict=False))
    assert (counts[0.0001], counts[0.001], counts[0.002], counts[5.0]) == (2, 2, 3, 3)
    assert lags.cumulative[-1] == 4
    assert lags.total == 99.0016
