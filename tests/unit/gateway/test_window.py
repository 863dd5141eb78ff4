"""How long ticks wait for more before they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.window import REST, Window


def loop(every: float, work: float, *, limit: float = 0.01, seconds: float = 1.0) -> list[float]:
    """Simulate a gateway whose ticks come *every* so often and whose flush takes *work*: each tick's wait."""
    window, waits, due, free = Window(limit), list[float](), float("inf"), 0.0
    for tick in range(round(seconds / every)):
        if due <= tick * every:
            free = due + work
            window.work(work)
            window.flushed(free)
            due = float("inf")
        arrived = max(tick * every, free)  # what comes during a flush is read after it
        waits.append(window.wait(arrived))
        due = min(due, arrived + waits[-1])
    return waits


def test_the_first_tick_does_not_wait() -> None:
    """A window that has seen no work asks for no rest."""
    assert Window(0.01).wait(0.0) == 0.0


def test_an_idle_gateway_adds_nothing() -> None:
    """Work that takes a tenth of the time between two ticks never makes one of them wait."""
    assert set(loop(0.010, 0.001)) == {0.0}


def test_a_busy_gateway_rests_by_its_work() -> None:
    """The rest after a flush is `REST` times what the passes and the flush before it took."""
    window = Window(0.01)
    window.work(0.002)
    window.work(0.003)
    window.flushed(10.0)
    assert window.rest == pytest.approx(0.005 * REST)
    assert window.wait(10.001) == pytest.approx(0.005 * REST - 0.001)
    assert window.wait(10.006) == 0.0


def test_a_flush_begins_a_new_sum() -> None:
    """Work before the last flush is not rested for twice."""
    window = Window(0.01)
    window.work(0.004)
    window.flushed(1.0)
    window.work(0.001)
    window.flushed(2.0)
    assert window.wait(2.0) == pytest.approx(0.001 * REST)


def test_the_wait_grows_with_the_load_up_to_the_limit() -> None:
    """More work per tick means longer waits, and none is longer than the limit."""
    means = [sum(waits) / len(waits) for waits in (loop(0.001, work) for work in (0.0003, 0.001, 0.004, 0.02))]
    assert means == sorted(means)
    assert 0.0 < means[1] < means[3] <= 0.01
    assert max(loop(0.001, 0.05)) == pytest.approx(0.01)


def test_a_limit_of_zero_means_never() -> None:
    """With a limit of 0 nothing waits, however busy the gateway is."""
    assert set(loop(0.001, 0.02, limit=0.0)) == {0.0}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans())), st.floats(0, 0.1))
def test_a_wait_is_never_negative_nor_above_the_limit(
    steps: list[tuple[float, float, bool]], limit: float
) -> None:
    """Whatever is worked and flushed, and whenever: waits stay between 0 and the limit."""
    window, now = Window(limit), 0.0
    for passed, worked, flushed in steps:
        now += passed
        window.work(worked)
        if flushed:
            window.flushed(now)
        assert 0.0 <= window.wait(now) <= limit
