"""Metric families out of plain numbers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.telemetry import families
from services.telemetry.histogram import Histogram


class Shown(Collector):
    """Shows some families."""

    def __init__(self, *shown: Metric) -> None:
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        yield from self._shown


def exposed(*shown: Metric) -> list[str]:
    """Return the exposition's lines."""
    registry = CollectorRegistry()
    registry.register(Shown(*shown))
    return generate_latest(registry).decode().splitlines()


def test_numbers() -> None:
    """Counters and gauges are shown with their kind and, where they have one, their label."""
    lines = exposed(
        families.counter("a", "A.", 1),
        families.gauge("b", "B.", True),
        families.counters("c", "C.", "of", [("x", 2), ("y", 0)]),
        families.gauges("d", "D.", "of", [("x", 3)]),
    )
    assert {"a_total 1.0", "b 1.0", 'c_total{of="x"} 2.0', 'c_total{of="y"} 0.0', 'd{of="x"} 3.0'} <= {*lines}
    assert {"# TYPE a counter", "# TYPE b gauge"} <= {line.replace("a_total", "a") for line in lines}


def test_histograms() -> None:
    """A histogram is shown with its buckets, its sum and its count."""
    spread = Histogram((1.0,))
    spread.observe(3.0)
    lines = exposed(
        families.histogram("h", "H.", spread), families.histograms("l", "L.", "stage", [("all", spread)])
    )
    assert {'h_bucket{le="1.0"} 0.0', 'h_bucket{le="+Inf"} 1.0', "h_count 1.0", "h_sum 3.0"} <= {*lines}
    assert 'l_bucket{le="+Inf",stage="all"} 1.0' in lines
