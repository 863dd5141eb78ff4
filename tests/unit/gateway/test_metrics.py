"""What the gateway counts, as Prometheus sees it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from gateway.closing import RESTART, Side
from gateway.counters import BUCKETS, Counters, Op, Stage
from gateway.metrics import GatewayCollector, Reading


def exposed(counters: Counters, *readings: Reading) -> list[str]:
    """Return the exposition's lines."""
    registry = CollectorRegistry()
    GatewayCollector(counters, lambda: readings).register(registry)
    return generate_latest(registry).decode().splitlines()


def test_every_label_is_there_from_the_start() -> None:
    """A series that has never counted shows zero, so that a rate over its first event is right."""
    lines = exposed(Counters())
    assert 'tickwire_closes_total{code="4408",side="server"} 0.0' in lines
    assert 'tickwire_closes_total{code="other",side="client"} 0.0' in lines
    assert 'tickwire_evictions_total{reason="stuck"} 0.0' in lines
    assert 'tickwire_handshakes_total{result="draining"} 0.0' in lines
    assert 'tickwire_commands_total{op="subscribe",result="ok"} 0.0' in lines
    assert 'tickwire_latency_seconds_bucket{le="5.0",stage="total"} 0.0' in lines
    assert "tickwire_latency_invalid_total 0.0" in lines


def test_counts() -> None:
    """What was counted is shown."""
    counters = Counters()
    counters.frames, counters.ticks, counters.bytes = 3, 30, 3000
    counters.closes[RESTART, Side.SERVER] += 2
    counters.commands[Op.INVALID, "bad_id"] += 1
    lines = exposed(counters)
    assert "tickwire_frames_sent_total 3.0" in lines
    assert "tickwire_ticks_sent_total 30.0" in lines
    assert "tickwire_bytes_sent_total 3000.0" in lines
    assert 'tickwire_closes_total{code="1012",side="server"} 2.0' in lines
    assert 'tickwire_commands_total{op="invalid",result="bad_id"} 1.0' in lines


def test_latency_buckets() -> None:
    """A latency counts in every bucket from its own on; a bound belongs to its bucket."""
    counters = Counters()
    counters.passed([60_000_000 - 100, 60_000_000 - 101, 60_000_000 - 101, 0], 60_000_000, 60_000_000)
    lines = exposed(counters)
    assert 'tickwire_latency_seconds_bucket{le="0.0001",stage="total"} 1.0' in lines
    assert 'tickwire_latency_seconds_bucket{le="0.00025",stage="total"} 3.0' in lines
    assert 'tickwire_latency_seconds_bucket{le="5.0",stage="total"} 3.0' in lines
    assert 'tickwire_latency_seconds_bucket{le="+Inf",stage="total"} 4.0' in lines
    assert 'tickwire_latency_seconds_count{stage="total"} 4.0' in lines
    assert 'tickwire_latency_seconds_sum{stage="total"} 60.000302' in lines


def test_negative_latency_is_clamped_and_counted() -> None:
    """Clocks that disagree show up in a counter of their own, not as a negative sum."""
    counters = Counters()
    counters.passed([15, 25], 10, 30)
    assert counters.latencies[Stage.BROKER].total == 0
    assert counters.latencies[Stage.BROKER].buckets()[0] == ("0.0001", 2.0)
    assert counters.latencies[Stage.TOTAL].total == 20 / 1e6
    assert counters.latencies[Stage.FANOUT].total == 2 * 20 / 1e6
    assert "tickwire_latency_invalid_total 2.0" in exposed(counters)


def test_bounds() -> None:
    """The histogram reaches from 100 microseconds to 5 seconds."""
    assert (BUCKETS[0], BUCKETS[-1]) == (0.0001, 5.0)
    assert list(BUCKETS) == sorted(set(BUCKETS))


def test_readings() -> None:
    """Values that others keep are read at each scrape, with or without a label."""
    lines = exposed(
        Counters(),
        Reading("connections", "Clients.", "gauge", None, [("", 7)]),
        Reading("lost", "Ticks.", "counter", "shard", [("us", 1), ("eu", 2)]),
    )
    assert "tickwire_connections 7.0" in lines
    assert "# TYPE tickwire_connections gauge" in lines
    assert 'tickwire_lost_total{shard="eu"} 2.0' in lines
