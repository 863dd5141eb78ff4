"""Overview: is it healthy, and if not, where to look next."""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import Board, Row
from deploy.grafana.canary import CLIENT, QUANTILES
from deploy.grafana.health import HEALTH, JOBS, LATE, UP
from deploy.grafana.panel import Panel, Query, graph, states
from deploy.grafana.promql import (
    EVERYWHERE,
    chosen,
    events,
    quantile,
    rate,
    total,
)

_BAD: Final = "tickwire:latency_bad:ratio_rate"
_REFUSED: Final = "tickwire:handshakes_bad:ratio_rate"


def _by_stage(name: str) -> Panel:
    """Return a quantile of each stage: it shows where a tick's time goes."""
    return graph(
        f"Latency {name} by stage",
        "broker: from the tick's time to the gateway.  fanout: from there to the write to the last client's "
        "socket.  total: both.  Over all gateways chosen.",
        "s",
        Query(quantile(QUANTILES[name], "tickwire_latency_seconds", "stage"), f"{name} {{{{stage}}}}"),
        steps=LATE,
    )


PROMISE: Final = Row(
    "The promise: 99.9 % of the ticks within 100 ms",
    (
        graph(
            "How fast the error budget burns",
            "1: it is just used up after 30 days.  Somebody is woken where both windows of a pair are above 14.4 "
            "(5 minutes and an hour) or 6 (30 minutes and 6 hours).",
            "none",
            *(Query(f"{_BAD}{window} / 0.001", f"{{{{sli}}}} {window}") for window in ("5m", "1h", "6h")),
            decimals=1,
            steps=((None, "green"), (6, "orange"), (14.4, "red")),
            pages=("Latency budget fast",),
        ),
        graph(
            "Error budget left over time",
            "By what gateways measure and by what the canary does.  Below 0 the promise is broken.",
            "percentunit",
            Query("tickwire:latency_budget_left:ratio30d", "{{sli}}"),
            lowest=None,
            highest=1,
            steps=((None, "red"), (0, "green")),
            pages=("Latency budget slow", "Latency budget ticket"),
        ),
        graph(
            "Handshakes refused for our reasons",
            "Share of those that we should let in: the gateway is full, or cannot check a token.  The line: 1 in "
            "1,000.",
            "percentunit",
            Query(f"{_REFUSED}5m", "5m"),
            Query(f"{_REFUSED}1h", "1h"),
            highest=1,
            steps=((None, "green"), (0.001, "red")),
            pages=("Handshake budget fast", "Handshake budget slow"),
        ),
    ),
)

LATENCY: Final = Row("Where a tick's time goes", tuple(map(_by_stage, QUANTILES)))

TICKS: Final = Row(
    "Ticks",
    (
        graph(
            "Ticks made, confirmed, received",
            "Made by producers, confirmed by RabbitMQ, and received by each gateway, which gets only the symbols "
            "that its clients follow.",
            "cps",
            Query(rate("tickwire_producer_ticks_made_total", where=EVERYWHERE), "made"),
            Query(rate("tickwire_producer_ticks_total", where=EVERYWHERE, result="confirmed"), "confirmed"),
            Query(rate("tickwire_ticks_received_total", "instance"), "received {{instance}}"),
        ),
        graph(
            "Deliveries by gateway",
            "Ticks written to clients, summed over the clients of each gateway.",
            "cps",
            Query(rate("tickwire_ticks_sent_total", "instance"), "{{instance}}"),
            stacked=True,
        ),
        graph(
            "Age of the feed",
            "Time since the last heartbeat of any shard, by gateway.  At 3 s clients are told that it is stale.",
            "s",
            Query(chosen("tickwire_feed_age_seconds"), "{{instance}}"),
            steps=((None, "green"), (3, "red")),
            pages=("Feed stale", "Feed unheard"),
        ),
        graph(
            "Gaps said to clients",
            "By reason.  lost and forgotten are final; unavailable: history did not answer in time.",
            "cps",
            Query(rate("tickwire_gaps_total", "reason"), "{{reason}}"),
            pages=("Ticks lost", "Gaps unavailable"),
        ),
        graph(
            "Holes and their repair",
            "Live ticks that were not the next one, and ticks that clients got from history instead.",
            "cps",
            Query(rate("tickwire_feed_holes_total"), "holes"),
            Query(rate("tickwire_ticks_repaired_total"), "ticks repaired"),
            Query(rate("tickwire_ticks_missing_total"), "ticks missing"),
        ),
        graph(
            "Shards without a heartbeat",
            "By gateway; above 0 for 3 s and more.  All gateways: look at the producers.  One: look at its "
            "broker.",
            "none",
            Query(chosen("tickwire_feed_shards_stale"), "{{instance}}"),
            decimals=0,
            pages=("Feed stale",),
        ),
    ),
)

CLIENTS: Final = Row(
    "Clients of the gateways",
    (
        graph(
            "Clients by gateway",
            "Connections now; a gateway that is full answers 503 and is not ready.",
            "short",
            Query(chosen("tickwire_connections"), "{{instance}}"),
            stacked=True,
            decimals=0,
            pages=("No gateway",),
        ),
        graph(
            "Connections ended",
            "By close code, and by which side ended them; only what happened.",
            "cps",
            Query(events("tickwire_closes_total", "code", "side"), "{{code}} by {{side}}"),
        ),
        graph(
            "Clients that do not get every tick",
            "slow: conflate since they read too slowly.  behind: get older ticks from ring or history first.  "
            "conflating: slow ones, and those that asked for it.",
            "short",
            Query(total(chosen("tickwire_clients_slow")), "slow"),
            Query(total(chosen("tickwire_clients_behind")), "behind"),
            Query(total(chosen("tickwire_clients_conflating")), "conflating"),
            decimals=0,
        ),
    ),
)

PROCESSES: Final = Row(
    "Processes",
    (
        states(
            "Processes and RabbitMQ nodes",
            "Whether Prometheus could scrape each.",
            Query(UP, "{{job}} {{instance}}"),
            texts={"0": "away", "1": "up"},
            pages=("Target down",),
        ),
        graph(
            "Delay of each loop, p99",
            "By how much a timer of 100 ms is late.  Where it grows, that process lacks CPU or does too much at "
            "once.",
            "s",
            Query(
                quantile(0.99, "tickwire_loop_lag_seconds", "job", "instance", where=EVERYWHERE),
                "{{job}} {{instance}}",
            ),
        ),
        graph(
            "CPU",
            "Cores that each process uses; one process uses 1 at most.",
            "none",
            Query(
                "rate(process_cpu_seconds_total[$__rate_interval]) * on (instance) group_left (process) "
                "tickwire_build_info",
                "{{process}} {{instance}}",
            ),
            decimals=2,
        ),
        graph(
            "Versions",
            "Processes by version: one version but for the minutes of an update.",
            "none",
            Query("count by (process, version) (tickwire_build_info)", "{{process}} {{version}}"),
            decimals=0,
        ),
        graph(
            "Memory",
            "Resident, of each process.",
            "bytes",
            Query(
                "process_resident_memory_bytes * on (instance) group_left (process) tickwire_build_info",
                "{{process}} {{instance}}",
            ),
        ),
        graph(
            "Restarts",
            "Starts of each process in the last 10 minutes.",
            "none",
            Query(f'changes(process_start_time_seconds{{job=~"{JOBS}"}}[10m])', "{{job}} {{instance}}"),
            decimals=0,
        ),
    ),
)

OVERVIEW: Final = Board(
    "overview",
    "Tickwire: overview",
    "Is it healthy: the promise of latency, ticks in, deliveries out, clients.  The variable chooses gateways; "
    "producers, canaries and RabbitMQ are always shown whole.",
    "label_values(tickwire_connections, instance)",
    (HEALTH, PROMISE, LATENCY, CLIENT, TICKS, CLIENTS, PROCESSES),
)
