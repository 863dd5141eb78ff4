"""Metric families out of the plain numbers that a hot path has counted, made at each scrape."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from services.telemetry.histogram import Histogram


def counter(name: str, meaning: str, value: float) -> Metric:
    """Return a counter without labels; its series ends in `_total`."""
    return CounterMetricFamily(name, meaning, value=value)


def gauge(name: str, meaning: str, value: float) -> Metric:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, meaning, value=float(value))


def counters(name: str, meaning: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    """Return a counter with one *label*."""
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family


def gauges(name: str, meaning: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    """Return a gauge with one *label*."""
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, number in values:
        family.add_metric([value], float(number))
    return family


def histogram(name: str, meaning: str, values: Histogram) -> Metric:
    """Return a histogram without labels."""
    return HistogramMetricFamily(name, meaning, buckets=values.buckets(), sum_value=values.total)


def histograms(name: str, meaning: str, label: str, values: Iterable[tuple[str, Histogram]]) -> Metric:
    """Return a histogram with one *label*."""
    family = HistogramMetricFamily(name, meaning, labels=[label])
    for value, each in values:
        family.add_metric([value], each.buckets(), each.total)
    return family
