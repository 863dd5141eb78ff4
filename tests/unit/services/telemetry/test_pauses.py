"""The pauses of garbage collections."""

from __future__ import annotations

import gc

from prometheus_client import CollectorRegistry

from services.runtime.clock import SystemClock
from services.telemetry.pauses import GENERATIONS, GcPauses
from tests.handclock import HandClock


def test_collections_are_counted_by_generation() -> None:
    """A collection that somebody asks for counts in its generation, and in no other."""
    pauses = GcPauses(registry := CollectorRegistry(), SystemClock())
    before = [pauses.pauses[generation].count for generation in GENERATIONS]
    pauses.start()
    gc.collect(2)

    assert before == [0, 0, 0]
    assert (registry.get_sample_value("tickwire_gc_pause_seconds_count", {"generation": "2"}) or 0) >= 1


def test_duration() -> None:
    """A pause is the time from a collection's start to its stop."""
    clock = HandClock()
    pauses = GcPauses(registry := CollectorRegistry(), clock)
    pauses.note("start", 1)
    clock.now = 0.02
    pauses.note("stop", 1)

    assert registry.get_sample_value("tickwire_gc_pause_seconds_sum", {"generation": "1"}) == 0.02
    assert registry.get_sample_value("tickwire_gc_pause_seconds_count", {"generation": "0"}) == 0


def test_nothing_is_left_behind() -> None:
    """With the histogram its callback goes, too."""
    before = len(gc.callbacks)
    pauses = GcPauses(CollectorRegistry(), SystemClock())
    pauses.start()
    during = len(gc.callbacks)
    del pauses
    gc.collect()

    assert (during, len(gc.callbacks)) == (before + 1, before)
