"""How far the clocks of gateway and producers are apart."""

from __future__ import annotations

import pytest

from gateway.offset import WINDOW_S, ClockOffset


def test_nothing_heard() -> None:
    """Without a heartbeat nothing is known."""
    assert ClockOffset().seconds(0.0) is None


def test_the_quickest_heartbeat_counts() -> None:
    """A heartbeat that was held up says nothing of the clocks."""
    offset = ClockOffset()
    for second, late in enumerate((900, 400, 70_000)):
        offset.heard("us", late, float(second))

    assert offset.seconds(2.0) == 0.0004


def test_a_clock_that_is_set() -> None:
    """What was heard before a clock was set is forgotten after two windows."""
    offset = ClockOffset()
    offset.heard("us", 400, 0.0)
    for second in range(1, 2 * WINDOW_S + 1):
        offset.heard("us", 5_000_400, float(second))
        assert offset.seconds(second) == (0.0004 if second < 2 * WINDOW_S else 5.0004)


@pytest.mark.parametrize(("other", "shown"), [(-3_000_000, -3.0), (2_000_000, 2.0)])
def test_the_shard_that_is_furthest_off_is_shown(other: int, shown: float) -> None:
    """One good clock does not hide a bad one, on whichever side it is."""
    offset = ClockOffset()
    offset.heard("us", 500, 0.0)
    offset.heard("eu", other, 0.0)

    assert offset.seconds(1.0) == shown


def test_a_silent_shard_is_forgotten() -> None:
    """A shard without heartbeats for two windows counts no longer."""
    offset = ClockOffset()
    offset.heard("eu", 9_000_000, 0.0)
    offset.heard("us", 500, 59.0)

    assert offset.seconds(2 * WINDOW_S) == 0.0005
