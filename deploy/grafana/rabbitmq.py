"""RabbitMQ's own figures, from its plugin rabbitmq_prometheus: the second half of the broker path."""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import Row
from deploy.grafana.panel import SELDOM, SHARE_OF_LIMIT, Panel, Query, graph, states
from deploy.grafana.promql import NODES, chosen, rate, share


def _rate(name: str, legend: str, *by: str, **labels: str) -> Query:
    return Query(rate(name, *by, where=NODES, **labels), legend, SELDOM)


def _now(name: str, legend: str = "{{instance}}") -> Query:
    return Query(chosen(name, NODES), legend, SELDOM)


def _of_limit(title: str, description: str, part: str, whole: str, pages: tuple[str, ...]) -> Panel:
    query = Query(f"{chosen(part, NODES)} / {chosen(whole, NODES)}", "{{instance}}", SELDOM)
    return graph(title, description, "percentunit", query, highest=1, steps=SHARE_OF_LIMIT, pages=pages)


FLOW: Final = Row(
    "RabbitMQ: messages",
    (
        graph(
            "Messages in, and confirms",
            "received: published by Tickwire.  routed: copies into queues and the log.  Confirms below received: "
            "producers wait.",
            "cps",
            _rate("rabbitmq_global_messages_received_total", "received"),
            _rate("rabbitmq_global_messages_routed_total", "routed"),
            _rate("rabbitmq_global_messages_confirmed_total", "confirmed"),
        ),
        graph(
            "Messages out",
            "To consumers without acknowledgement (live queues) and with it (the log).",
            "cps",
            _rate("rabbitmq_global_messages_delivered_consume_auto_ack_total", "live queues"),
            _rate("rabbitmq_global_messages_delivered_consume_manual_ack_total", "with acknowledgement"),
        ),
        graph(
            "Messages that nobody took",
            "unroutable: no queue is bound to the key.  expired and beyond the length: a gateway does not read; "
            "the ticks come from history.  RabbitMQ counts the last two only where queues have a dead-letter "
            "exchange.",
            "cps",
            _rate("rabbitmq_global_messages_unroutable_dropped_total", "unroutable"),
            _rate("rabbitmq_global_messages_dead_lettered_expired_total", "expired"),
            _rate("rabbitmq_global_messages_dead_lettered_maxlen_total", "beyond the length"),
            pages=("Rabbitmq unroutable",),
        ),
        graph(
            "Messages in queues",
            "ready: wait for a consumer.  unacknowledged: the log's readers have them.  The log's own entries "
            "are counted, too: it grows to its bound and stays there.",
            "short",
            _now("rabbitmq_queue_messages_ready", "ready {{instance}}"),
            _now("rabbitmq_queue_messages_unacked", "unacknowledged {{instance}}"),
            decimals=0,
        ),
        graph(
            "Queues, consumers, connections, channels",
            "Live queues are gateways times symbols followed.",
            "short",
            _now("rabbitmq_queues", "queues {{instance}}"),
            _now("rabbitmq_consumers", "consumers {{instance}}"),
            _now("rabbitmq_connections", "connections {{instance}}"),
            _now("rabbitmq_channels", "channels {{instance}}"),
            decimals=0,
        ),
        graph(
            "Churn",
            "Queues and connections made and ended.  Much of it without a start of gateways: clients come and go "
            "by symbols, or a process cannot stay connected.",
            "cps",
            _rate("rabbitmq_queues_created_total", "queues made"),
            _rate("rabbitmq_queues_deleted_total", "queues deleted"),
            _rate("rabbitmq_connections_opened_total", "connections opened"),
            _rate("rabbitmq_connections_closed_total", "connections closed"),
            pages=("Rabbitmq connection churn",),
        ),
    ),
)

NODE: Final = Row(
    "RabbitMQ: the nodes",
    (
        _of_limit(
            "Memory of the watermark",
            "At 1 RabbitMQ blocks every connection that publishes.",
            "rabbitmq_process_resident_memory_bytes",
            "rabbitmq_resident_memory_limit_bytes",
            pages=("Rabbitmq memory alarm",),
        ),
        _of_limit(
            "Disk needed of disk free",
            "At 1 RabbitMQ blocks every connection that publishes.",
            "rabbitmq_disk_space_available_limit_bytes",
            "rabbitmq_disk_space_available_bytes",
            pages=("Rabbitmq disk predicted",),
        ),
        _of_limit(
            "File descriptors",
            "At 1 it accepts nobody.",
            "rabbitmq_process_open_fds",
            "rabbitmq_process_max_fds",
            pages=("Rabbitmq descriptors",),
        ),
        states(
            "Alarms",
            "memory and disk: publishing is blocked until it is over.",
            _now("rabbitmq_alarms_memory_used_watermark", "memory {{instance}}"),
            _now("rabbitmq_alarms_free_disk_space_watermark", "disk {{instance}}"),
            steps=((None, "green"), (1, "red")),
            texts={"0": "no", "1": "alarm"},
            pages=("Rabbitmq memory alarm", "Rabbitmq disk alarm"),
        ),
        graph(
            "Run queue",
            "Erlang processes that wait for a core.  Above a few for long: RabbitMQ lacks CPU.",
            "none",
            _now("rabbitmq_erlang_scheduler_run_queue"),
            decimals=0,
        ),
        graph(
            "Erlang processes",
            "Share of the limit; a queue, a channel and a connection are some each.",
            "percentunit",
            Query(
                share(
                    chosen("rabbitmq_erlang_processes_used", NODES),
                    chosen("rabbitmq_erlang_processes_limit", NODES),
                ),
                "{{instance}}",
                SELDOM,
            ),
            highest=1,
            steps=SHARE_OF_LIMIT,
        ),
        graph(
            "Logins",
            "Attempts per second; those that failed: a wrong user or password.",
            "cps",
            _rate("rabbitmq_auth_attempts_total", "attempts"),
            _rate("rabbitmq_auth_attempts_failed_total", "failed"),
        ),
        graph(
            "Age of the node",
            "Time since it started.",
            "s",
            _now("rabbitmq_erlang_uptime_seconds"),
            decimals=0,
        ),
    ),
)
