"""The first row of the overview: is it healthy?"""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import FIRING, Row
from deploy.grafana.panel import BAD_ABOVE_ZERO, GOOD_AT_ONE, Query, Steps, number, states
from deploy.grafana.promql import EVERYWHERE, chosen, happened, most, or_none, quantile, rate, share, total, used

JOBS: Final = "producer|gateway|history|canary|rabbitmq"
"""As Prometheus' configuration names them: what is away says nothing of itself."""
UP: Final = f'up{{job=~"{JOBS}"}}'
LATE: Final[Steps] = ((None, "green"), (0.05, "orange"), (0.1, "red"))
"""Of a latency: the promise is 100 ms."""
_LIVE: Final = "(tickwire_feed_shards_live > bool 0) * (tickwire_feed_shards_stale == bool 0)"
CANARY: Final = "tickwire_canary_latency_seconds"

HEALTH: Final = Row(
    "Is it healthy?",
    (
        number(
            "Feed",
            "Whether every gateway hears the heartbeat of every shard.  Stale: 3 s without one.",
            "none",
            Query(f"min({_LIVE})", "feed"),
            highest=1,
            steps=GOOD_AT_ONE,
            texts={"0": "stale", "1": "live"},
            pages=("Feed stale",),
        ),
        number(
            "Connections away",
            "Connections to RabbitMQ that a process needs and does not have.",
            "none",
            Query(f"count({used('tickwire_broker_connected == 0')}) or vector(0)", "away"),
            decimals=0,
            steps=BAD_ABOVE_ZERO,
            pages=("Broker disconnected",),
        ),
        number(
            "Producers that lead",
            "One per shard is right.  None: nobody makes ticks.  Two of one shard: a lease is broken.",
            "none",
            Query("sum(tickwire_producer_leading) or vector(0)", "leading"),
            decimals=0,
            steps=GOOD_AT_ONE,
            pages=("Producer leaders",),
        ),
        number(
            "Alerts that fire",
            "Alerts of every severity; the marks in the graphs say when which one began.",
            "none",
            Query(f"count({FIRING}) or vector(0)", "alerts"),
            decimals=0,
            steps=BAD_ABOVE_ZERO,
        ),
        number(
            "Processes away",
            "Processes and RabbitMQ nodes that Prometheus cannot scrape.",
            "none",
            Query(f"count({UP} == 0) or vector(0)", "away"),
            decimals=0,
            steps=BAD_ABOVE_ZERO,
        ),
        number(
            "Error budget left",
            "Of 30 days, or what Prometheus keeps: 1 in 1,000 ticks may take over 100 ms.  The worse of gateways "
            "and canary; below 0 the promise is broken.",
            "percentunit",
            Query("min(tickwire:latency_budget_left:ratio30d)", "left"),
            decimals=1,
            lowest=-1,
            highest=1,
            steps=((None, "red"), (0, "orange"), (0.25, "green")),
        ),
        number(
            "Latency, p99",
            "99 % of the ticks were on the sockets of all their clients sooner, counted from the tick's own time.",
            "s",
            Query(quantile(0.99, "tickwire_latency_seconds", stage="total"), "p99"),
            decimals=1,
            steps=LATE,
        ),
        number(
            "As the canary sees it, p99",
            "The same with the network: from the tick's own time until a real client had it.",
            "s",
            Query(quantile(0.99, CANARY, where=EVERYWHERE, stage="total"), "p99"),
            decimals=1,
            steps=LATE,
        ),
        number(
            "Broken promises",
            "Frames that the canary got and that break the promise that no hole is unexplained, in the time "
            "shown.",
            "none",
            Query(happened("tickwire_canary_violations_total", where=EVERYWHERE), "violations"),
            decimals=0,
            steps=BAD_ABOVE_ZERO,
        ),
        number(
            "Clients",
            "Connections of all gateways chosen.",
            "short",
            Query(total(chosen("tickwire_connections")), "clients"),
            decimals=0,
        ),
        number(
            "Ticks in",
            "Ticks made by all producers, per second.",
            "cps",
            Query(rate("tickwire_producer_ticks_made_total", where=EVERYWHERE), "ticks"),
            decimals=0,
        ),
        number(
            "Deliveries out",
            "Ticks written to clients, per second, summed over clients.",
            "cps",
            Query(rate("tickwire_ticks_sent_total"), "deliveries"),
            decimals=0,
        ),
        number(
            "Oldest feed",
            "Time since the last heartbeat, at the gateway where it is longest; one comes every second.",
            "s",
            Query(most(chosen("tickwire_feed_age_seconds")), "age"),
            decimals=1,
            steps=((None, "green"), (2, "orange"), (3, "red")),
            pages=("Feed stale",),
        ),
        number(
            "Gaps said",
            "Times that a client was told of ticks that it will not get, in the time shown.",
            "none",
            Query(happened("tickwire_gaps_total"), "gaps"),
            decimals=0,
            steps=((None, "green"), (1, "orange")),
        ),
        number(
            "Slow clients",
            "Share of the clients that get only the newest tick since they read too slowly.",
            "percentunit",
            Query(share(total(chosen("tickwire_clients_slow")), total(chosen("tickwire_connections"))), "slow"),
            decimals=1,
            highest=1,
            steps=((None, "green"), (0.05, "orange"), (0.3, "red")),
        ),
        number(
            "History",
            "Replicas that answer.  None: resumes and snapshots of quiet symbols are answered `unavailable`.",
            "none",
            Query("sum(tickwire_history_open) or vector(0)", "replicas"),
            decimals=0,
            steps=GOOD_AT_ONE,
            pages=("History absent",),
        ),
        states(
            "Alerts",
            "Which alerts fired when, by severity.  Each has its page in the runbook.",
            Query(
                or_none(most(FIRING, "alertname", "severity"), "alertname", "severity"),
                "{{severity}} {{alertname}}",
            ),
            steps=((None, "green"), (1, "red")),
            texts={"0": "none", "1": "fires"},
            width=24,
            pages=("Watchdog",),
        ),
    ),
)
