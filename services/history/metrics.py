"""History's metrics.  The hot path counts in plain integers; they become metrics when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.history.reader import Reader
from services.history.shelf import Forgotten

PREFIX: Final = "tickwire_history_"


class HistoryMetrics(Collector):
    """What `/metrics` says of one history."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as of now."""
        yield from self._counters()
        yield from self._gauges()
        yield self._forgotten()
        yield self._bytes()
        yield self._answers()

    def _counters(self) -> Iterator[Metric]:
        reader, shelf, charts = self._reader, self._reader.store.shelf, self._reader.store.charts
        for name, meaning, value in (
            ("ticks_read", "Ticks read from the log and remembered.", shelf.read),
            ("ticks_repeated", "Ticks read that had come before, dropped.", shelf.repeated),
            ("ticks_fenced", "Ticks read of an earlier epoch, dropped.", shelf.fenced),
            (
                "malformed",
                "Entries of the log and control messages that no codec of ours wrote.",
                reader.malformed,
            ),
            ("candles_stored", "Finished candles handed to the candle log.", reader.stored),
            ("candles_read", "Candles read from the candle log that told something new.", charts.read),
            ("candles_repeated", "Candles read from the candle log that were known.", charts.repeated),
            ("rereads", "Times that reading began again in the past.", reader.rereads),
            ("skips", "Times that entries of the log may have been missed between two reads.", reader.skips),
            ("marks_waived", "Marks of heartbeats given up: the log does not have their ticks.", reader.waived),
        ):
            yield CounterMetricFamily(PREFIX + name, meaning, value=value)

    def _gauges(self) -> Iterator[Metric]:
        reader, shelf = self._reader, self._reader.store.shelf
        for name, meaning, value in (
            ("ticks_kept", "Ticks remembered.", shelf.ticks),
            ("symbols", "Symbols of which a tick is remembered.", len(shelf)),
            ("connected", "1 while the connection to the log stands.", reader.connected),
            ("open", "1 while questions are taken.", reader.verdict.open),
            (
                "behind_seconds",
                "For how long the oldest mark has not been read, or the log's connection been gone.",
                reader.verdict.behind_s,
            ),
        ):
            yield GaugeMetricFamily(PREFIX + name, meaning, value=float(value))

    def _forgotten(self) -> Metric:
        meaning = "Ticks forgotten, by the bound that they were beyond."
        metric = CounterMetricFamily(f"{PREFIX}ticks_forgotten", meaning, labels=["reason"])
        for reason in Forgotten:
            metric.add_metric([reason.value], self._reader.store.shelf.forgotten[reason])
        return metric

    def _bytes(self) -> Metric:
        store = self._reader.store
        metric = GaugeMetricFamily(f"{PREFIX}bytes_kept", "Bytes that memories take.", labels=["kind"])
        metric.add_metric(["ticks"], store.shelf.bytes)
        metric.add_metric(["candles"], store.charts.bytes)
        return metric

    def _answers(self) -> Metric:
        store = self._reader.store
        metric = CounterMetricFamily(f"{PREFIX}answers", "Questions answered.", labels=["kind"])
        metric.add_metric(["ticks"], store.answered)
        metric.add_metric(["candles"], store.answered_candles)
        return metric
