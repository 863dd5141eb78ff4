"""What the gateway counts, as Prometheus sees it: its objects are made at each scrape only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.closing import label
from gateway.counters import Counters
from services.telemetry import families


class Reading(NamedTuple):
    """One value that somebody else keeps, read at each scrape; *kind* is `gauge` or `counter`."""

    name: str
    meaning: str
    kind: str
    label: str | None
    values: Iterable[tuple[str, float]]


class GatewayCollector(Collector):
    """Shows *counters* and what *readings* returns."""

    def __init__(self, counters: Counters, readings: Callable[[], Iterable[Reading]]) -> None:
        self._counters = counters
        self._readings = readings

    def register(self, registry: CollectorRegistry) -> None:
        """Show up in *registry*."""
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        yield from self._sums()
        yield from self._by_label()
        yield from self._histograms()
        for reading in self._readings():
            yield _family(reading)

    def _sums(self) -> Iterator[Metric]:
        counters = self._counters
        yield _counter("frames_sent", "Text frames written to clients.", counters.frames)
        yield _counter("ticks_sent", "Ticks written to clients in ticks frames.", counters.ticks)
        yield _counter("bytes_sent", "Bytes written to clients, with frame headers.", counters.bytes)
        yield _counter(
            "contents_made", "Ticks frames made; clients with the same content share one.", counters.contents
        )
        yield _counter("flushes", "Passes in which clients were written out.", counters.flushes)
        yield _counter("slow_clients", "Times a client began to conflate because it was slow.", counters.slow)
        yield _counter("dead_writes", "Writes to a connection that was already gone.", counters.dead_writes)
        yield _counter(
            "tokens_accepted",
            "Tokens, keys and tickets that were good, of connections, renewals and requests for tickets.",
            counters.tokens_accepted,
        )
        yield _counter(
            "latency_invalid",
            "Latencies below zero, counted as zero: clocks disagree.",
            counters.invalid_latencies,
        )

    def _by_label(self) -> Iterator[Metric]:
        counters = self._counters
        yield _pairs(
            "commands",
            "Commands by what became of them.",
            ("op", "result"),
            [((op, result), count) for (op, result), count in counters.commands.items()],
        )
        yield _pairs(
            "closes",
            "Connections ended.",
            ("code", "side"),
            [((label(close), side.value), count) for (close, side), count in counters.closes.items()],
        )
        for name, meaning, of, counts in (
            ("evictions", "Connections torn down.", "reason", counters.evictions),
            ("floods", "Clients that sent more than they may: closed with 4429.", "of", counters.floods),
            ("handshakes", "Attempts to connect.", "result", counters.handshakes),
            (
                "tokens_refused",
                "Tokens, keys and tickets that let nobody in.",
                "reason",
                counters.tokens_refused,
            ),
        ):
            yield families.counters(f"tickwire_{name}", meaning, of, [(str(k), n) for k, n in counts.items()])

    def _histograms(self) -> Iterator[Metric]:
        counters = self._counters
        yield families.histograms(
            "tickwire_latency_seconds",
            "A tick's way, by stage.",
            "stage",
            [(stage.value, latency) for stage, latency in counters.latencies.items()],
        )
        for name, meaning, values in (
            (
                "handshake_seconds",
                "From a connection accepted, or the first byte of a later request on it, to its welcome.",
                counters.handshake_times,
            ),
            (
                "ping_rtt_seconds",
                "From our ping to the client's pong; of several unanswered pings the oldest.",
                counters.ping_times,
            ),
            ("flush_clients", "Clients written to in one pass.", counters.flush_clients),
        ):
            yield families.histogram(f"tickwire_{name}", meaning, values)


def _pairs(
    name: str, meaning: str, labels: tuple[str, str], values: Iterable[tuple[tuple[str, str], float]]
) -> Metric:
    family = CounterMetricFamily(f"tickwire_{name}", meaning, labels=labels)
    for pair, count in values:
        family.add_metric(pair, count)
    return family


def _counter(name: str, meaning: str, value: float) -> Metric:
    return families.counter(f"tickwire_{name}", meaning, value)


def _family(reading: Reading) -> Metric:
    kind = GaugeMetricFamily if reading.kind == "gauge" else CounterMetricFamily
    family = kind(f"tickwire_{reading.name}", reading.meaning, labels=[reading.label] if reading.label else [])
    for value, number in reading.values:
        family.add_metric([value] if reading.label else [], number)
    return family
