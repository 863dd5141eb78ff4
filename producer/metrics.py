"""The producer's metrics.  The hot path counts in plain integers; they become metrics when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from producer.leadership import Leadership, Stage
from producer.maker import Maker
from producer.publisher import Publisher
from services.telemetry import families

PREFIX: Final = "tickwire_producer_"
RESULTS: Final = ("confirmed", "refused", "lost", "skipped")
"""What becomes of a tick: in the broker's log; not taken over by it; replaced in a full backlog; never made."""


class ProducerMetrics(Collector):
    """What `/metrics` says of one producer."""

    def __init__(self, publisher: Publisher, maker: Maker, leadership: Leadership) -> None:
        self._publisher, self._maker, self._leadership = publisher, maker, leadership

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as of now."""
        yield self._ticks()
        yield from self._histograms()
        yield self._traces()
        yield from self._counters()
        yield from self._gauges()

    def _ticks(self) -> Metric:
        counts = self._publisher.backlog.counts
        metric = CounterMetricFamily(f"{PREFIX}ticks", "Ticks by what became of them.", labels=["result"])
        for result, ticks in zip(
            RESULTS, (counts.confirmed, counts.refused, counts.lost, self._maker.skipped), strict=True
        ):
            metric.add_metric([result], ticks)
        return metric

    def _histograms(self) -> Iterator[Metric]:
        for name, meaning, values in (
            (
                "schedule_lag_seconds",
                "Delay of a pass of the schedule behind its deadline.",
                self._maker.lags,
            ),
            (
                "confirm_seconds",
                "From a message on the wire to the broker's confirm, heartbeats too.",
                self._publisher.backlog.confirms,
            ),
        ):
            yield families.histogram(PREFIX + name, meaning, values)

    def _counters(self) -> Iterator[Metric]:
        publisher = self._publisher
        repeated = publisher.backlog.counts.repeated
        for name, meaning, value in (
            ("ticks_made", "Ticks made, whatever became of them.", publisher.made),
            ("ticks_repeated", "Ticks sent once more after a lost connection.", repeated),
            ("heartbeats", "Heartbeats sent.", publisher.heartbeats),
            ("heartbeats_left", "Heartbeats that no connection could take.", publisher.heartbeats_left),
            ("unanswered", "Connections given up since a message on them was not answered.", publisher.unanswered),
            ("epochs", "Runs begun, each under a later epoch.", publisher.epochs),
            ("clock_steps", "Times that the wall clock was set by more than a second.", self._maker.clock_steps),
        ):
            yield CounterMetricFamily(PREFIX + name, meaning, value=value)

    def _traces(self) -> Metric:
        traces = self._publisher.traces
        meaning = "Messages whose way is traced since they carry a sampled tick."
        return CounterMetricFamily("tickwire_traces", meaning, value=0 if traces is None else traces.sampled)

    @property
    def _leads(self) -> bool:
        return self._leadership.stage is Stage.LEADING

    def _gauges(self) -> Iterator[Metric]:
        publisher, backlog = self._publisher, self._publisher.backlog
        for name, meaning, value in (
            ("epoch", "Epoch of this run; 0 while there is none.", publisher.epoch),
            ("leading", "1 while this producer holds the lease of its shard and publishes.", self._leads),
            ("continued_symbols", "Symbols that went on from the run before.", publisher.continued),
            ("connected", "1 while the connection that publishes stands.", publisher.connected),
            ("blocked", "1 while the broker reads nothing for want of memory or disk.", publisher.blocked),
            ("conflating", "1 while the backlog keeps only the newest tick of each symbol.", backlog.conflating),
            ("unconfirmed", "Messages on the wire without the broker's answer.", backlog.unconfirmed),
            ("backlog_messages", "Messages that wait to go on the wire.", backlog.waiting),
            ("backlog_bytes", "Bytes of the queue behind the wire.", backlog.bytes),
        ):
            yield GaugeMetricFamily(PREFIX + name, meaning, value=float(value))
