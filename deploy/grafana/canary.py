"""The row of the overview that the canary fills: what a client sees, measured from outside."""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import Row
from deploy.grafana.health import CANARY, LATE
from deploy.grafana.panel import Query, graph, states
from deploy.grafana.promql import EVERYWHERE, events, quantile, rare, rate, total

QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_TICKS: Final = "tickwire_canary_ticks_total"

CLIENT: Final = Row(
    "As a client sees it: the canary",
    (
        graph(
            "Latency at the canary",
            "From the tick's own time until a real client had it, through proxy and TLS; its clock's offset is "
            "corrected.",
            "s",
            *(Query(quantile(q, CANARY, where=EVERYWHERE, stage="total"), name) for name, q in QUANTILES.items()),
            steps=LATE,
        ),
        graph(
            "Latency p99 by stage at the canary",
            "feed: from the tick's time to the frame's `sent`, which the gateway wrote.  wire: from there to the "
            "canary.  Only wire grows: the network, the proxy, or a full socket.",
            "s",
            Query(quantile(0.99, CANARY, "stage", where=EVERYWHERE), "p99 {{stage}}"),
        ),
        graph(
            "Ticks at the canary",
            "Delivered, skipped since it conflates, or missing: named in a gap.",
            "cps",
            Query(rate(_TICKS, "outcome", where=EVERYWHERE), "{{outcome}}"),
            pages=("Canary stale",),
        ),
        states(
            "Canary connected",
            "Whether each canary has a connection that got its welcome.",
            Query("tickwire_canary_connected", "{{instance}}"),
            texts={"0": "away", "1": "connected"},
            pages=("Canary disconnected", "Canary absent"),
        ),
        graph(
            "Handshake and round trip of the canary, p99",
            "Handshake: from the connection's start to the welcome, over 5 minutes, in which some visit; 0: none "
            "did.  Round trip: ping to pong.",
            "s",
            Query(rare(0.99, "tickwire_canary_handshake_seconds", where=EVERYWHERE, window="5m"), "handshake"),
            Query(quantile(0.99, "tickwire_canary_round_trip_seconds", where=EVERYWHERE), "round trip"),
        ),
        graph(
            "Age of the canary's last tick",
            "Of each canary.  Where the market is closed, or its symbols are quiet, it grows without a fault.",
            "s",
            Query("tickwire_canary_tick_age_seconds", "{{instance}}"),
            pages=("Canary stale",),
        ),
        graph(
            "Symbols of the canary",
            "followed: ticks come.  rejected: it watches nothing there.  pending for long: the gateway cannot "
            "bind.",
            "none",
            Query(total("tickwire_canary_symbols", "state"), "{{state}}"),
            decimals=0,
        ),
        graph(
            "Clock of the gateway against the canary's",
            "Estimated from pings.  Latencies at the canary are corrected by it; it says whose clock is wrong.",
            "s",
            Query("tickwire_canary_clock_offset_seconds", "{{instance}}"),
            lowest=None,
            decimals=3,
            pages=("Clock offset",),
        ),
        graph(
            "Latencies below zero",
            "They count as zero.  Above 0 here a clock is wrong, and all latencies are, too.",
            "cps",
            Query(rate("tickwire_latency_invalid_total"), "gateways"),
            Query(rate("tickwire_canary_latency_invalid_total", where=EVERYWHERE), "canary"),
            pages=("Clock offset",),
        ),
        graph(
            "Interruptions of the canary",
            "Reconnects and gaps by reason, and frames that broke the promise by rule, per second.",
            "cps",
            Query(events("tickwire_canary_reconnects_total", "reason", where=EVERYWHERE), "reconnect: {{reason}}"),
            Query(events("tickwire_canary_gaps_total", "reason", where=EVERYWHERE), "gap: {{reason}}"),
            Query(events("tickwire_canary_violations_total", "rule", where=EVERYWHERE), "broken: {{rule}}"),
            pages=("Canary violation",),
        ),
    ),
)
