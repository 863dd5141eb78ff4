"""What the canary shows at /metrics."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, generate_latest

from tests.handclock import HandClock
from tickwire.canary.metrics import CanaryMetrics
from tickwire.canary.observer import Observer


def _shown(observer: Observer, clock: HandClock) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(CanaryMetrics(observer, clock))
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#") and "_bucket" not in line)
    return {name: float(value) for name, value in pairs}


def test_before_anything() -> None:
    """Every label shows at once with 0; what is not known yet has no sample, so that no alert misreads a 0."""
    shown = _shown(Observer(["AAPL"], now=0.0), HandClock())

    assert {name: value for name, value in shown.items() if value} == {
        'tickwire_canary_state{state="connecting"}': 1,
        'tickwire_canary_symbols{state="pending"}': 1,
    }
    assert 'tickwire_canary_violations_total{rule="hole"}' in shown
    assert 'tickwire_canary_reconnects_total{reason="tls"}' in shown
    assert not {name for name in shown if "offset" in name or "certificate" in name}


def test_figures() -> None:
    """Figures are those of the observer, in seconds."""
    clock, observer = HandClock(), Observer(["AAPL"], now=0.0)
    observer.opened()
    observer.certificate_not_after = 1_900_000_000.0
    for frame in (
        {"op": "welcome"},
        {"op": "subscribed", "id": 1, "symbols": {"AAPL": {"epoch": None, "seq": None}}, "pending": 0},
        {"op": "snapshot", "epoch": 1, "data": [{"seq": 1, "ts": 1, "symbol": "AAPL"}]},
        {"op": "ticks", "sent": 3_000, "data": [{"seq": 3, "ts": 1_000, "symbol": "AAPL"}]},
    ):
        observer.heard(json.dumps(frame), 0.0, 0)
    observer.said('{"op":"ping","id":1}', 0)
    observer.heard('{"op":"pong","id":1,"server_time":1000}', 0.0, 4_000)
    clock.now = 9.0

    shown = _shown(observer, clock)

    assert shown['tickwire_canary_latency_seconds_sum{stage="feed"}'] == 0.002
    assert shown["tickwire_canary_clock_offset_seconds"] == -0.001
    assert shown["tickwire_canary_round_trip_seconds_sum"] == 0.004
    assert shown["tickwire_canary_certificate_not_after_seconds"] == 1_900_000_000
    assert shown["tickwire_canary_tick_age_seconds"] == 9
    assert shown['tickwire_canary_violations_total{rule="hole"}'] == 1
    assert shown['tickwire_canary_ticks_total{outcome="missing"}'] == 1
    assert shown["tickwire_canary_connected"] == shown['tickwire_canary_state{state="connected"}'] == 1
    assert shown["tickwire_canary_latency_invalid_total"] == 2
