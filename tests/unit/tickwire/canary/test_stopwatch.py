"""Latencies, and the offset of two clocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tickwire.canary.stopwatch import HELD, OPEN_PINGS, Stage, Stopwatch

DAYS_US = 86_400_000_000
TIMES = st.integers(0, 50_000)


def _synchronised(offset: int = 0, rtt: int = 0) -> Stopwatch:
    """A stopwatch with one pong of a gateway that is *offset* ahead, read in the middle of *rtt*."""
    watch = Stopwatch()
    watch.opened()
    watch.pinged(1, 1_000)
    watch.ponged(1, 1_000 + rtt // 2 + offset, 1_000 + rtt)
    return watch


def _counts(watch: Stopwatch) -> list[int]:
    return [watch.stages[stage].count for stage in Stage]


def test_stages() -> None:
    """A tick's way is from its time to the gateway's write to its arrival here, by one clock."""
    watch = _synchronised(offset=5_000_000)

    watch.arrived(sent=5_000_700, received=1_000, times=[5_000_000, 5_000_200])

    totals = {stage: watch.stages[stage].total for stage in Stage}
    assert totals == {Stage.FEED: 0.0012, Stage.WIRE: 0.0006, Stage.TOTAL: 0.0018}
    assert watch.invalid == 0


def test_below_zero() -> None:
    """A latency below zero counts as zero, and as invalid."""
    watch = _synchronised()

    watch.arrived(sent=100, received=90, times=[50, 120])

    assert {stage: watch.stages[stage].total for stage in Stage} == {
        Stage.FEED: 0.00005,
        Stage.WIRE: 0.0,
        Stage.TOTAL: 0.00004,
    }
    assert watch.invalid == 1 + 2 + 1


def test_waits_for_the_offset() -> None:
    """Ticks that come before a connection's first pong are measured with that pong, not with no offset at all."""
    watch = Stopwatch()
    watch.opened()
    watch.pinged(1, 0)
    watch.arrived(sent=7_000_000, received=200, times=[7_000_000])
    assert _counts(watch) == [1, 0, 0]

    watch.ponged(1, 7_000_050, 100)

    assert _counts(watch) == [1, 1, 1]
    assert watch.stages[Stage.WIRE].total == 0.0002
    assert watch.invalid == 0


def test_what_waits_is_bounded() -> None:
    """Beyond 4,096 ticks without a pong, and at the connection's end, the last known offset counts."""
    watch = _synchronised(offset=1_000)
    watch.opened()
    watch.arrived(sent=1_000, received=500, times=[1_000] * HELD)
    assert _counts(watch)[1] == 0

    watch.arrived(sent=1_000, received=500, times=[1_000])
    assert _counts(watch)[1] == HELD + 1
    watch.arrived(sent=1_000, received=500, times=[1_000])
    watch.opened()

    assert _counts(watch)[1] == HELD + 2
    assert round(watch.stages[Stage.WIRE].total, 6) == round((HELD + 2) * 0.0005, 6)


def test_pings() -> None:
    """A pong that no ping of this connection asked for says nothing, and pings without pong are bounded."""
    watch = Stopwatch()
    for number in range(OPEN_PINGS + 1):
        watch.pinged(number, 0)

    watch.ponged(0, 5, 10)
    watch.ponged(99, 5, 10)
    assert watch.round_trips.count == 0
    watch.ponged(OPEN_PINGS, 5, 10)
    assert watch.round_trips.count == 1
    watch.pinged(1, 0)
    watch.opened()
    watch.ponged(1, 5, 10)
    assert watch.round_trips.count == 1
    assert watch.clock.offset_us is None


@given(offset=st.integers(-DAYS_US, DAYS_US), trips=st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=30))
def test_offset(offset: int, trips: list[tuple[int, int]]) -> None:
    """The estimate is wrong by at most half the best of the last 16 round trips, wherever the clock is read."""
    watch = Stopwatch()
    now = DAYS_US
    for number, (there, back) in enumerate(trips):
        watch.pinged(number, now)
        watch.ponged(number, now + there + offset, now + there + back)
        now += 5_000_000

    best = min(there + back for there, back in trips[-16:])
    assert watch.clock.offset_us is not None
    assert abs(watch.clock.offset_us - offset) <= best / 2 + 1
    assert watch.round_trips.count == len(trips)


@given(
    offset=st.integers(-DAYS_US, DAYS_US),
    frames=st.lists(st.tuples(TIMES, TIMES, st.lists(TIMES, max_size=5)), max_size=20),
)
def test_total_is_the_sum(offset: int, frames: list[tuple[int, int, list[int]]]) -> None:
    """With an exact offset nothing is below zero, and total is feed and wire together."""
    watch = _synchronised(offset)
    for feed, wire, lags in frames:
        sent = DAYS_US + offset
        watch.arrived(sent, DAYS_US + wire, [sent - feed - lag for lag in lags])

    stages = watch.stages
    assert watch.invalid == 0
    assert round(stages[Stage.TOTAL].total - stages[Stage.FEED].total - stages[Stage.WIRE].total, 6) == 0
    assert len({stages[stage].count for stage in Stage}) == 1
