"""How long garbage collections stop a process."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any, Final
from weakref import finalize, ref

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.runtime.clock import Clock
from services.telemetry import families
from services.telemetry.histogram import Histogram

GENERATIONS: Final = (0, 1, 2)
"""From the youngest containers to all of them: the closed set of the label `generation`."""
PAUSE_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Buckets, seconds: a look at 20,000 young containers takes 1 ms, one at all of a gateway's 30 ms and more."""

_Callback = Callable[[str, dict[str, int]], Any]


class GcPauses(Collector):
    """The histogram of collections; `start` begins to take them, and the end of this object ends it."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._began = 0.0
        self.pauses = {generation: Histogram(PAUSE_SECONDS) for generation in GENERATIONS}
        registry.register(self)

    def start(self) -> None:
        """Take collections from now on."""
        callback = _callback(ref(self))
        gc.callbacks.append(callback)
        finalize(self, gc.callbacks.remove, callback).atexit = False

    def note(self, phase: str, generation: int) -> None:
        """A collection of *generation* starts or stops: *phase* says which."""
        now = self._clock.monotonic()
        if phase == "start":
            self._began = now
        else:
            self.pauses[generation].observe(now - self._began)

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram."""
        yield families.histograms(
            "tickwire_gc_pause_seconds",
            "Duration of a garbage collection, in which nothing else happens.",
            "generation",
            [(str(generation), pauses) for generation, pauses in self.pauses.items()],
        )


def _callback(watched: ref[GcPauses]) -> _Callback:
    def note(phase: str, info: dict[str, int]) -> None:
        pauses = watched()
        if pauses is not None:
            pauses.note(phase, info["generation"])

    return note
