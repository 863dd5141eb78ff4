"""The delays of an event loop."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from services.runtime.clock import SystemClock
from services.telemetry.lag import MOST_HELD_UP, PERIOD_S, LoopLag
from tests.eventually import eventually
from tests.handclock import HandClock


def test_a_late_timer_counts_for_those_that_it_held_up() -> None:
    """A loop that stood still for a second shows it in eleven delays, not in one."""
    lag = LoopLag(registry := CollectorRegistry(), HandClock())
    lag.late(1.05)

    assert registry.get_sample_value("tickwire_loop_lag_seconds_count") == 11
    assert registry.get_sample_value("tickwire_loop_lag_seconds_sum") == pytest.approx(
        sum(range(5, 110, 10)) / 100
    )
    assert registry.get_sample_value("tickwire_loop_lag_seconds_bucket", {"le": "0.5"}) == 5


def test_a_timer_that_is_early_is_on_time() -> None:
    """No delay is below zero: timers may come up to a millisecond early."""
    lag = LoopLag(CollectorRegistry(), HandClock())
    lag.late(-0.001)

    assert (lag.delays.count, lag.delays.total) == (1, 0)


def test_a_year_asleep_is_bounded() -> None:
    """However long a machine slept, one delay counts for a minute of timers at most."""
    lag = LoopLag(CollectorRegistry(), HandClock())
    lag.late(1e7)

    assert lag.delays.count == MOST_HELD_UP + 1


async def test_a_loop_that_stands_still_is_seen() -> None:
    """Half a second without a turn of the loop shows in the histogram soon after."""
    LoopLag(registry := CollectorRegistry(), SystemClock()).start()
    time.sleep(PERIOD_S + 0.5)  # noqa: ASYNC251 - the fault itself

    def late() -> bool:
        count = registry.get_sample_value("tickwire_loop_lag_seconds_count") or 0
        return count - (registry.get_sample_value("tickwire_loop_lag_seconds_bucket", {"le": "0.25"}) or 0) >= 2

    await eventually(late)


class Timers:
    """A loop that only notes which timers are set."""

    def __init__(self) -> None:
        self.set: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def call_later(self, _: float, callback: Callable[..., object], *arguments: object) -> None:
        """Note it."""
        self.set.append((callback, arguments))


def test_the_timer_ends_with_its_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing keeps the histogram alive but its registry, and a timer that finds nobody is the last one."""
    timers = Timers()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: timers)
    lag = LoopLag(CollectorRegistry(), SystemClock())
    lag.start()
    ((ring, arguments),) = timers.set
    ring(*arguments)
    assert len(timers.set) == 2
    gone = weakref.ref(lag)
    del lag
    gc.collect()

    assert gone() is None
    ring(*arguments)
    assert len(timers.set) == 2
