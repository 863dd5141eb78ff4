"""What Prometheus sees of the HTTP wire."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.wires.http.doubts import Doubts
from gateway.wires.http.figures import Figures
from gateway.wires.http.pace import Pace
from gateway.wires.http.recall import Recall
from services.telemetry import families


class HttpCollector(Collector):
    """Shows *figures*, and how much of each bound is used."""

    def __init__(self, figures: Figures, recall: Recall, doubts: Doubts, pace: Pace) -> None:
        self._figures, self._recall, self._doubts, self._pace = figures, recall, doubts, pace

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        figures = self._figures
        requests = CounterMetricFamily(
            "tickwire_http_requests", "Requests answered, by the class of their status.", labels=("route", "code")
        )
        for (route, code), count in figures.requests.items():
            requests.add_metric((route.value, code), count)
        yield requests
        yield families.histograms(
            "tickwire_http_seconds",
            "From a whole request to its answer made.",
            "route",
            [(route.value, seconds) for route, seconds in figures.seconds.items()],
        )
        yield families.counters(
            "tickwire_http_recalled",
            "What was needed of history, by where it came from.",
            "source",
            [(source.value, count) for source, count in figures.recalled.items()],
        )
        yield families.counters(
            "tickwire_http_made",
            "Answers made, by where they were hashed and compressed.",
            "where",
            [(where.value, count) for where, count in figures.made.items()],
        )
        yield from self._plain()

    def _plain(self) -> Iterator[Metric]:
        figures = self._figures
        for name, meaning, value in (
            ("bytes_sent", "Bytes of bodies.", figures.bytes),
            ("unchanged", "Answers that the client had already: 304.", figures.unchanged),
            ("refused", "Requests beyond what one client may ask: 429.", figures.refused),
        ):
            yield families.counter(f"tickwire_http_{name}", meaning, value)
        for name, meaning, value in (
            ("under_way", "Requests that are being answered.", figures.under_way),
            ("pressing", "Answers that are being compressed in threads.", figures.pressing),
            (
                "unsent_bytes",
                "Bytes of answers that clients had not taken when the last request came.",
                figures.unsent,
            ),
            ("kept", "Answers of history that are kept.", self._recall.entries),
            ("kept_bytes", "Bytes of the answers of history that are kept.", self._recall.bytes),
            ("doubts", "Positions asked from that nobody knows.", len(self._doubts)),
            ("clients_remembered", "Clients whose last requests are remembered.", len(self._pace)),
        ):
            yield families.gauge(f"tickwire_http_{name}", meaning, value)
