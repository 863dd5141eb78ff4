"""The canary's metrics, made of what its observer knows when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.runtime.clock import Clock
from services.telemetry.families import counter, counters, gauge, gauges, histogram, histograms
from tickwire.canary.observer import Observer, State

PREFIX: Final = "tickwire_canary_"
_MICRO: Final = 1_000_000


class CanaryMetrics(Collector):
    """What `/metrics` says of one canary."""

    def __init__(self, observer: Observer, clock: Clock) -> None:
        self._observer, self._clock = observer, clock

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as of now."""
        yield from self._latencies()
        yield from self._promise()
        yield from self._connection()
        yield from self._known_later()

    def _latencies(self) -> Iterator[Metric]:
        watch = self._observer.stopwatch
        yield histograms(
            f"{PREFIX}latency_seconds",
            "A tick's way to this client, by stage.",
            "stage",
            ((stage.value, latencies) for stage, latencies in watch.stages.items()),
        )
        yield counter(
            f"{PREFIX}latency_invalid", "Latencies below zero, counted as zero: clocks disagree.", watch.invalid
        )
        yield histogram(f"{PREFIX}round_trip_seconds", "From a ping command to its pong.", watch.round_trips)
        age = self._observer.tick_age(self._clock.monotonic())
        yield gauge(f"{PREFIX}tick_age_seconds", "Time since the last tick, or since the start.", age)

    def _promise(self) -> Iterator[Metric]:
        observer = self._observer
        yield counters(
            f"{PREFIX}ticks",
            "Ticks by what became of them; missing are those that a gap or a hole names.",
            "outcome",
            ((outcome.value, count) for outcome, count in observer.ticks.items()),
        )
        yield counters(
            f"{PREFIX}gaps",
            "Gaps that the gateway said, by reason.",
            "reason",
            ((reason.value, count) for reason, count in observer.gaps.items()),
        )
        yield counters(
            f"{PREFIX}violations",
            "Frames that broke a rule of the promise: a defect of the gateway's.",
            "rule",
            ((rule.value, count) for rule, count in observer.judge.found.items()),
        )
        yield gauges(
            f"{PREFIX}symbols",
            "Symbols of the canary, by whether the gateway follows them.",
            "state",
            ((state.value, count) for state, count in observer.symbols.items()),
        )

    def _connection(self) -> Iterator[Metric]:
        observer = self._observer
        yield gauge(f"{PREFIX}connected", "1 while a gateway's welcome is in force.", observer.connected)
        yield gauges(
            f"{PREFIX}state",
            "1 for where the connection stands; all but the first two need somebody to do something.",
            "state",
            ((state.value, state is observer.state) for state in State),
        )
        yield counters(
            f"{PREFIX}reconnects",
            "Connections that ended or were not made, and were tried again.",
            "reason",
            ((reason.value, count) for reason, count in observer.reconnects.items()),
        )
        yield histogram(
            f"{PREFIX}handshake_seconds",
            "From the begin of an attempt to connect, its name's look-up and TLS included, to welcome.",
            observer.handshakes,
        )
        yield counters(
            f"{PREFIX}visits",
            "Attempts of another client to come in, one a minute, by what became of them.",
            "result",
            (("ok" if reason is None else reason.value, count) for reason, count in observer.visits.items()),
        )

    def _known_later(self) -> Iterator[Metric]:
        """Yield what has no sample until it is known."""
        offset = self._observer.stopwatch.clock.offset_us
        for name, meaning, value in (
            (
                "clock_offset_seconds",
                "How far the gateway's clock is ahead of ours; not there before a connection's first pong.",
                None if offset is None else offset / _MICRO,
            ),
            (
                "certificate_not_after_seconds",
                "Until when the gateway's last certificate is valid, since 1970; not there without TLS.",
                self._observer.certificate_not_after,
            ),
        ):
            family = GaugeMetricFamily(PREFIX + name, meaning)
            if value is not None:
                family.add_metric([], value)
            yield family
