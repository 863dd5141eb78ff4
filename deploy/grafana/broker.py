"""Broker path: from the producer through RabbitMQ to gateways and history, each side next to the other."""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import Board, Row
from deploy.grafana.panel import Query, graph, states
from deploy.grafana.promql import chosen, events, quantile, rare, rate, total, used
from deploy.grafana.rabbitmq import FLOW, NODE

_BAD: Final = ((None, "green"), (1, "red"))


INGEST: Final = Row(
    "Producer",
    (
        graph(
            "Ticks by what became of them",
            "made: all.  confirmed: RabbitMQ has them.  refused and lost: holes, which history reports as lost.  "
            "skipped: a late loop, or only the newest was kept.",
            "cps",
            Query(rate("tickwire_producer_ticks_made_total"), "made"),
            Query(rate("tickwire_producer_ticks_total", "result"), "{{result}}"),
        ),
        graph(
            "Confirmation",
            "From publishing a message to RabbitMQ's confirm.",
            "s",
            Query(quantile(0.5, "tickwire_producer_confirm_seconds"), "p50"),
            Query(quantile(0.99, "tickwire_producer_confirm_seconds"), "p99"),
            Query(quantile(0.999, "tickwire_producer_confirm_seconds"), "p99.9"),
        ),
        graph(
            "Messages on the way",
            "unconfirmed: on the wire, 5,000 at most.  waiting: behind the wire.",
            "short",
            Query(chosen("tickwire_producer_unconfirmed"), "unconfirmed {{instance}}"),
            Query(chosen("tickwire_producer_backlog_messages"), "waiting {{instance}}"),
            decimals=0,
        ),
        graph(
            "Bytes that wait behind the wire",
            "At 64 MiB or 10 s of ticks only the newest of each symbol is kept.",
            "bytes",
            Query(chosen("tickwire_producer_backlog_bytes"), "{{instance}}"),
            steps=((None, "green"), (64 * 1024**2, "red")),
        ),
        graph(
            "Lateness of the schedule",
            "By how much a pass that makes ticks comes after its time.  It catches up by 2 s at most.",
            "s",
            Query(quantile(0.5, "tickwire_producer_schedule_lag_seconds"), "p50"),
            Query(quantile(0.99, "tickwire_producer_schedule_lag_seconds"), "p99"),
            Query(quantile(0.999, "tickwire_producer_schedule_lag_seconds"), "p99.9"),
        ),
        states(
            "Who leads",
            "Producers that hold the lease of their shard: exactly one per shard; the others stand by.",
            Query(chosen("tickwire_producer_leading"), "{{instance}}"),
            texts={"0": "stands by", "1": "leads"},
            steps=((None, "blue"), (1, "green")),
            pages=("Producer leaders",),
        ),
        states(
            "Producer in trouble",
            "blocked: RabbitMQ reads nothing for want of memory or disk.  conflating: the backlog is full.",
            Query(chosen("tickwire_producer_blocked"), "blocked {{instance}}"),
            Query(chosen("tickwire_producer_conflating"), "conflating {{instance}}"),
            texts={"0": "no", "1": "yes"},
            steps=_BAD,
        ),
        graph(
            "Runs, repeats, resets",
            "runs begun under a later epoch; ticks sent once more after a lost connection; connections given up "
            "since a message was not answered; steps of the wall clock.",
            "cps",
            Query(rate("tickwire_producer_epochs_total"), "runs"),
            Query(rate("tickwire_producer_ticks_repeated_total"), "ticks repeated"),
            Query(rate("tickwire_producer_unanswered_total"), "given up"),
            Query(rate("tickwire_producer_clock_steps_total"), "clock steps"),
        ),
        graph(
            "Heartbeats",
            "One a second of each shard.  left: no connection could take it, so gateways will say stale.",
            "cps",
            Query(rate("tickwire_producer_heartbeats_total"), "sent"),
            Query(rate("tickwire_producer_heartbeats_left_total"), "left"),
            pages=("Feed stale",),
        ),
    ),
)

CONNECTIONS: Final = Row(
    "Connections of Tickwire's processes to RabbitMQ",
    (
        states(
            "Connected",
            "Each connection by role: gateways consume and ask history (rpc), producers publish and hold a lease.",
            Query(used(chosen("tickwire_broker_connected")), "{{instance}} {{role}}"),
            texts={"0": "away", "1": "stands"},
            width=12,
            pages=("Broker disconnected",),
        ),
        states(
            "Blocked",
            "Connections from which RabbitMQ reads nothing: an alarm of memory or disk.",
            Query(used(chosen("tickwire_broker_blocked")), "{{instance}} {{role}}"),
            texts={"0": "no", "1": "blocked"},
            steps=_BAD,
            width=12,
            pages=("Broker blocked",),
        ),
        graph(
            "Reconnects",
            "Connections lost and attempts failed.  refused: nobody listens.  auth: the user or its rights were "
            "changed.  silent: no heartbeat.",
            "cps",
            Query(events("tickwire_broker_reconnects_total", "role", "reason"), "{{role}}: {{reason}}"),
            pages=("Reconnect storm",),
        ),
        graph(
            "Channel errors",
            "By AMQP code: 404 something was deleted, 406 it is declared differently, 403 rights.",
            "cps",
            Query(events("tickwire_broker_channel_errors_total", "code"), "{{code}}"),
        ),
        graph(
            "Bytes from RabbitMQ",
            "Read from the sockets, by role.",
            "Bps",
            Query(rate("tickwire_broker_bytes_received_total", "role"), "{{role}}"),
        ),
    ),
)

QUEUES: Final = Row(
    "Live queues of the gateways",
    (
        graph(
            "Symbols by the state of their queue",
            "idle: nobody follows it any more, kept for 30 s.  opening for long: RabbitMQ does not answer.",
            "short",
            Query(f"{total(chosen('tickwire_symbol_lines'), 'state')}", "{{state}}"),
            decimals=0,
        ),
        graph(
            "Until a symbol is bound",
            "From asking RabbitMQ to its last answer; a subscription waits for it.  0 while nothing is asked.",
            "s",
            Query(rare(0.5, "tickwire_broker_follow_seconds"), "p50"),
            Query(rare(0.99, "tickwire_broker_follow_seconds"), "p99"),
        ),
        graph(
            "Symbols bound and unbound",
            "delayed: had to wait for the limit of 500 a second.",
            "cps",
            Query(rate("tickwire_transitions_total"), "asked for"),
            Query(rate("tickwire_transitions_delayed_total"), "delayed"),
        ),
        graph(
            "Queues at RabbitMQ",
            "That each gateway holds: as many as symbols, or at most K where TICKWIRE_QUEUES is bucket:K.  Beyond "
            "20,000 in all, use buckets.",
            "none",
            Query(chosen("tickwire_broker_queues"), "{{instance}}"),
            decimals=0,
        ),
        graph(
            "Ticks that nobody follows",
            "Came in a bucket's queue while their symbol was being unbound; 0 with a queue per symbol.",
            "cps",
            Query(rate("tickwire_ticks_unwanted_total", "instance"), "{{instance}}"),
        ),
        graph(
            "Ticks from RabbitMQ",
            "Received by each gateway, and the messages that carried them.",
            "cps",
            Query(rate("tickwire_ticks_received_total", "instance"), "ticks {{instance}}"),
            Query(rate("tickwire_messages_received_total", "instance"), "messages {{instance}}"),
        ),
        graph(
            "Queues that fell silent or ended",
            "bound again: its marks ran ahead while its queue was silent.  ended: RabbitMQ cancelled the "
            "consumer.  malformed: a message that no codec of ours wrote.",
            "cps",
            Query(rate("tickwire_rebinds_total"), "bound again"),
            Query(rate("tickwire_lines_ended_total"), "ended"),
            Query(rate("tickwire_messages_malformed_total"), "malformed"),
        ),
        graph(
            "Symbols known",
            "In the directory that producers send every 10 s.  0: subscriptions wait, and are rejected after 10 "
            "s.",
            "none",
            Query(chosen("tickwire_directory_symbols"), "{{instance}}"),
            decimals=0,
        ),
        graph(
            "Clock against the producer's",
            "Smallest of arrival minus a heartbeat's time in the last minute.  Below 0: this gateway's clock is "
            "behind, and latencies are too small by as much.",
            "s",
            Query(chosen("tickwire_feed_clock_offset_seconds"), "{{instance}}"),
            lowest=None,
            decimals=3,
            pages=("Clock offset",),
        ),
    ),
)

HISTORY: Final = Row(
    "History",
    (
        states(
            "Who answers",
            "Replicas that take questions; a replica that is behind leaves the queue by itself.  seen by: "
            "whether a gateway counts on any.",
            Query(chosen("tickwire_history_open"), "{{instance}}"),
            Query(
                f"{chosen('tickwire_rpc_present')} and on (instance) tickwire_connections", "seen by {{instance}}"
            ),
            texts={"0": "silent", "1": "answers"},
            pages=("History absent",),
        ),
        graph(
            "Irregular reads of the log",
            "begun again: reading went on in the past.  skips: entries may have been missed.  waived: the log "
            "does not have what a heartbeat promised.  malformed: an entry that no codec of ours wrote.",
            "cps",
            Query(rate("tickwire_history_rereads_total"), "begun again"),
            Query(rate("tickwire_history_skips_total"), "skips"),
            Query(rate("tickwire_history_marks_waived_total"), "waived"),
            Query(rate("tickwire_history_malformed_total"), "malformed"),
        ),
        graph(
            "Ticks forgotten",
            "age is normal.  count and memory: the bounds came first, so that clients find less of the past.",
            "cps",
            Query(rate("tickwire_history_ticks_forgotten_total", "reason"), "{{reason}}"),
            pages=("Ticks forgotten",),
        ),
        graph(
            "Behind the marks",
            "For how long a replica has not read what heartbeats say was published.  At 3 s it stops to answer.",
            "s",
            Query(chosen("tickwire_history_behind_seconds"), "{{instance}}"),
            steps=((None, "green"), (3, "red")),
            pages=("History behind",),
        ),
        graph(
            "Questions of gateways, and answers",
            "Without a replica nobody answers, and clients are told `unavailable`.",
            "cps",
            Query(rate("tickwire_history_questions_total"), "asked"),
            Query(rate("tickwire_history_answers_total", "kind"), "answered: {{kind}}"),
            Query(rate("tickwire_rpc_timeouts_total"), "nobody answered in time"),
            Query(rate("tickwire_rpc_unsent_total"), "not sent"),
            pages=("History absent",),
        ),
        graph(
            "Until an answer",
            "From a request to each of its replies; 0 while nobody asks.",
            "s",
            Query(rare(0.5, "tickwire_rpc_seconds"), "p50"),
            Query(rare(0.99, "tickwire_rpc_seconds"), "p99"),
        ),
        graph(
            "Ticks read",
            "From the log, by replica; each reads all of them.",
            "cps",
            Query(rate("tickwire_history_ticks_read_total", "instance"), "{{instance}}"),
        ),
        graph(
            "Ticks remembered",
            "By replica; forgotten by age (normal), or since the bounds of count or memory came first.",
            "short",
            Query(chosen("tickwire_history_ticks_kept"), "{{instance}}"),
            decimals=0,
        ),
        graph(
            "Memory of history",
            "Bytes that ticks and candles take.",
            "bytes",
            Query(f"{total(chosen('tickwire_history_bytes_kept'), 'instance', 'kind')}", "{{kind}} {{instance}}"),
        ),
    ),
)

BROKER: Final = Board(
    "broker",
    "Tickwire: broker path",
    "From the producer through RabbitMQ to gateways and history, with RabbitMQ's own figures.",
    "label_values(tickwire_broker_connected, instance)",
    (INGEST, CONNECTIONS, QUEUES, FLOW, NODE, HISTORY),
    nodes=True,
)
