"""Gateway: what the fan-out does, who is slow, and what the process itself suffers from."""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import Board, Row
from deploy.grafana.health import LATE
from deploy.grafana.panel import Panel, Query, graph
from deploy.grafana.promql import chosen, events, mean, quantile, rate, share, total
from deploy.grafana.runtime import RUNTIME

_SHARES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
OUTBOX_BYTES: Final = 65_536
"""From so much unsent data on a client conflates (gateway/outbox.py)."""


def _quantiles(title: str, description: str, unit: str, name: str, **labels: str) -> Panel:
    queries = (Query(quantile(value, name, **labels), legend) for legend, value in _SHARES.items())
    return graph(title, description, unit, *queries)


FANOUT: Final = Row(
    "Fan-out",
    (
        graph(
            "Ticks received and written",
            "Written counts each client; the quotient is how many clients one tick reaches.",
            "cps",
            Query(rate("tickwire_ticks_received_total", "instance"), "received {{instance}}"),
            Query(rate("tickwire_ticks_sent_total", "instance"), "written {{instance}}"),
        ),
        _quantiles(
            "Fan-out latency",
            "From a tick's arrival to the write to its last client's socket.",
            "s",
            "tickwire_latency_seconds",
            stage="fanout",
        ),
        graph(
            "Latency p99 by gateway",
            "From the tick's time to the write to its last client's socket.  One gateway above the others: it is "
            "its own fault; all: the broker's or the producer's.",
            "s",
            Query(quantile(0.99, "tickwire_latency_seconds", "instance", stage="total"), "{{instance}}"),
            steps=LATE,
        ),
        graph(
            "Clients per pass",
            "Clients written out in one pass of the loop.  Many: a pass takes long, and others wait.",
            "none",
            Query(quantile(0.5, "tickwire_flush_clients"), "p50"),
            Query(quantile(0.99, "tickwire_flush_clients"), "p99"),
            Query(mean("tickwire_flush_clients"), "mean"),
            decimals=0,
        ),
        graph(
            "Passes",
            "Passes in which clients were written out, per second.  It rests longer when there is more to do, so "
            "that ticks gather.",
            "cps",
            Query(rate("tickwire_flushes_total", "instance"), "passes {{instance}}"),
        ),
        graph(
            "Rest after a pass",
            "In which ticks gather: 0 when idle, 20 ms at most.",
            "s",
            Query(chosen("tickwire_flush_rest_seconds"), "{{instance}}"),
        ),
        graph(
            "Clients that share a frame",
            "Frames written per frame made: clients with the same content share one.  1: nobody shares.",
            "none",
            Query(
                share(rate("tickwire_frames_sent_total"), rate("tickwire_contents_made_total")),
                "frames written per frame made",
            ),
            decimals=1,
        ),
        graph(
            "Bytes to clients",
            "With frame headers, before TLS.",
            "Bps",
            Query(rate("tickwire_bytes_sent_total", "instance"), "{{instance}}"),
        ),
        graph(
            "Ring",
            "Ticks kept so that clients that are behind find the next one; bounded in ticks and bytes.",
            "short",
            Query(chosen("tickwire_ring_ticks"), "ticks {{instance}}"),
            decimals=0,
        ),
        graph(
            "Bytes in the ring",
            "What those ticks take.",
            "bytes",
            Query(chosen("tickwire_ring_bytes"), "{{instance}}"),
        ),
    ),
)

SLOW: Final = Row(
    "Slow clients",
    (
        graph(
            "Clients by how they keep up",
            "blocked: their sockets are full.  slow: they conflate since they read too slowly.  behind: they get "
            "older ticks first.",
            "short",
            Query(total(chosen("tickwire_clients_blocked")), "blocked"),
            Query(total(chosen("tickwire_clients_slow")), "slow"),
            Query(total(chosen("tickwire_clients_behind")), "behind"),
            Query(total(chosen("tickwire_clients_conflating")), "conflating, asked or slow"),
            decimals=0,
            pages=("Slow clients",),
        ),
        graph(
            "Unsent bytes",
            "In the outboxes and transports of all clients.",
            "bytes",
            Query(chosen("tickwire_clients_buffered_bytes"), "{{instance}}"),
        ),
        graph(
            "Unsent bytes of one client",
            "Of the client with most.  The line: from here on a client conflates, so that more is a burst.",
            "bytes",
            Query(chosen("tickwire_clients_buffered_bytes_max"), "{{instance}}"),
            steps=((None, "green"), (OUTBOX_BYTES, "orange")),
        ),
        graph(
            "Clients that became slow",
            "Times that a client began to conflate because it was slow.",
            "cps",
            Query(rate("tickwire_slow_clients_total", "instance"), "{{instance}}"),
        ),
        graph(
            "Ticks not sent since clients conflate",
            "Share of the ticks due that was skipped; each client was told how many.",
            "percentunit",
            Query(
                share(
                    rate("tickwire_ticks_conflated_total"),
                    f"({rate('tickwire_ticks_conflated_total')} + {rate('tickwire_ticks_sent_total')})",
                ),
                "skipped",
            ),
            highest=1,
        ),
        graph(
            "Torn down",
            "stuck: not one byte taken for 10 s.  silent: two pings and no answer.  drain: did not leave in time.",
            "cps",
            Query(rate("tickwire_evictions_total", "reason"), "{{reason}}"),
            pages=("Evictions",),
        ),
    ),
)

RECOVERY: Final = Row(
    "Holes and their repair",
    (
        graph(
            "Holes, and what was dropped",
            "holes: a live tick was not the next one.  repeated and fenced ones had come before, or belong to an "
            "earlier epoch: they are dropped.",
            "cps",
            Query(rate("tickwire_feed_holes_total"), "holes"),
            Query(rate("tickwire_ticks_repeated_total"), "repeated"),
            Query(rate("tickwire_ticks_fenced_total"), "fenced"),
            pages=("Old epochs",),
        ),
        graph(
            "Ticks from history",
            "repaired: instead of a hole.  replayed: a client resumed.  missing: named in a gap.",
            "cps",
            Query(rate("tickwire_ticks_repaired_total"), "repaired"),
            Query(rate("tickwire_ticks_replayed_total"), "replayed"),
            Query(rate("tickwire_ticks_missing_total"), "missing"),
        ),
        graph(
            "Requests under way",
            "Of each gateway to RabbitMQ and history, under way or waiting.  It must fall back to a few.",
            "none",
            Query(chosen("tickwire_feed_intents"), "{{instance}}"),
            decimals=0,
        ),
        graph(
            "Gaps, snapshots and epochs said",
            "gaps by reason; a snapshot begins each subscription that does not resume; an epoch is a producer's "
            "run.",
            "cps",
            Query(events("tickwire_gaps_total", "reason"), "gap: {{reason}}"),
            Query(rate("tickwire_snapshots_total"), "snapshots"),
            Query(rate("tickwire_epochs_total"), "epochs"),
        ),
    ),
)

CANDLES: Final = Row(
    "Candles",
    (
        graph(
            "Candles followed",
            "charts: symbols and intervals that anybody follows.  alone: without history, their first candle "
            "is partial.  waiting: for history's answer.",
            "none",
            Query(total(chosen("tickwire_candles_charts")), "charts"),
            Query(total(chosen("tickwire_candles_alone")), "alone"),
            Query(total(chosen("tickwire_candles_waiting")), "waiting"),
            decimals=0,
        ),
        graph(
            "Candles begun, and updates",
            "By reason: clients came, or ticks lacked, had a wrong time, or history came back.  withheld: a full "
            "socket put an update off.",
            "cps",
            Query(events("tickwire_candles_resets_total", "reason"), "begun: {{reason}}"),
            Query(rate("tickwire_candles_frames_total"), "frames"),
            Query(rate("tickwire_candles_withheld_total"), "withheld"),
        ),
    ),
)

ENDS: Final = Row(
    "How connections end, and how far away clients are",
    (
        graph(
            "Ended by the gateway",
            "By close code: 1012 restart, 1013 overloaded, 4401 token expired, 4408 too slow, 4429 too many "
            "commands.",
            "cps",
            Query(events("tickwire_closes_total", "code", side="server"), "{{code}}"),
            pages=("Sessions failed",),
        ),
        graph(
            "Ended by clients",
            "1000 and 1001: they left.  1006: without a word, so a network or a crash.",
            "cps",
            Query(events("tickwire_closes_total", "code", side="client"), "{{code}}"),
            pages=("Abnormal closes",),
        ),
        _quantiles(
            "Round trip to clients",
            "From the gateway's ping to the client's pong, over 2 minutes: a client is pinged every 30 s.",
            "s",
            "tickwire_ping_rtt_seconds",
            window="2m",
        ),
    ),
)

GATEWAY: Final = Board(
    "gateway",
    "Tickwire: gateway",
    "Fan-out, slow clients, repair, the process, and how connections end.",
    "label_values(tickwire_connections, instance)",
    (FANOUT, SLOW, RECOVERY, CANDLES, RUNTIME, ENDS),
)
