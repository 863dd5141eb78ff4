"""What /metrics says of a producer."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from producer.leadership import Leadership
from producer.maker import LAG_SECONDS, Maker
from producer.metrics import RESULTS, ProducerMetrics
from producer.publisher import Publisher
from producer.sources.simulation import Simulation
from producer.sources.universe import load
from tests.unit.producer.scripted import WALL, HandClock, ScriptedSink


def test_every_count_is_shown() -> None:
    """Counters and gauges carry the producer's own integers under names of a closed set."""
    clock, sink = HandClock(), ScriptedSink()
    source = Simulation(1, load(None)[:4], 100)
    publisher = Publisher(sink, clock, "main")
    maker, leadership = Maker(publisher, clock, 1_000), Leadership(standby=False)
    registry = CollectorRegistry()
    registry.register(ProducerMetrics(publisher, maker, leadership))

    def shown(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"tickwire_producer_{name}", labels)

    assert (shown("epoch"), shown("epochs_total"), shown("leading")) == (0, 0, 0)
    leadership.held(0)
    leadership.begin(17)
    publisher.continued = 3
    publisher.begin(17, source.instruments(WALL))
    sink.connect(publisher)
    publisher.offer(source.due(0, WALL))
    sink.settle(sink.number - 2, multiple=True)
    sink.settle(sink.number - 1, multiple=False, accepted=False)
    maker.lags.observe(0.0007)
    maker.skipped, maker.clock_steps = 5, 2

    assert [shown("ticks_total", result=result) for result in RESULTS] == [2, 1, 0, 5]
    assert (shown("ticks_made_total"), shown("ticks_repeated_total")) == (4, 0)
    assert (shown("heartbeats_total"), shown("heartbeats_left_total")) == (1, 0)
    assert (shown("unconfirmed"), shown("backlog_messages"), shown("backlog_bytes")) == (1, 0, 0)
    assert (shown("epoch"), shown("connected"), shown("blocked"), shown("conflating")) == (17, 1, 0, 0)
    assert shown("clock_steps_total") == 2
    assert (shown("epochs_total"), shown("leading"), shown("continued_symbols")) == (1, 1, 3)
    leadership.lost()
    assert shown("leading") == 0
    assert shown("schedule_lag_seconds_bucket", le="0.0005") == 0
    assert shown("schedule_lag_seconds_bucket", le="0.001") == 1
    assert shown("schedule_lag_seconds_count") == 1
    assert shown("schedule_lag_seconds_sum") == 0.0007
    assert (shown("confirm_seconds_count"), shown("confirm_seconds_sum")) == (
        4,
        0,
    )  # two of ticks, heartbeat, directory

    publisher.on_blocked(blocked=True)
    publisher.offer(source.due(100_000, WALL))
    assert shown("blocked") == 1
    assert (shown("backlog_messages") or 0) > 0
    assert (shown("backlog_bytes") or 0) > 0
    sink.lose()
    assert (shown("connected"), shown("blocked")) == (0, 0)


def test_exposition_is_valid_text() -> None:
    """The text format has each family once, with one bucket per edge and one for the rest."""
    clock = HandClock()
    publisher = Publisher(ScriptedSink(), clock, "main")
    registry = CollectorRegistry()
    registry.register(ProducerMetrics(publisher, Maker(publisher, clock, 1_000), Leadership(standby=False)))
    text = generate_latest(registry).decode()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    assert text.count("tickwire_producer_schedule_lag_seconds_bucket") == len(LAG_SECONDS) + 1
