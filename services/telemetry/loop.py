"""What an event loop carries, as a metric: a number that grows and never falls is a leak."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class LoopCollector(Collector):
    """Counts the tasks of the loop that serves `/metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: at registration no loop need be running."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield the number of tasks; nothing where no loop is running."""
        try:
            tasks = asyncio.all_tasks()
        except RuntimeError:
            return
        yield GaugeMetricFamily("tickwire_loop_tasks", "Tasks of the event loop that have not ended.", len(tasks))
