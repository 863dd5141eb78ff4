"""The row of the gateway's dashboard about the process: its loop, collector, CPU, memory and descriptors."""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import Row
from deploy.grafana.panel import SHARE_OF_LIMIT, Query, graph, states
from deploy.grafana.promql import chosen, quantile, rare, rate

RUNTIME: Final = Row(
    "The process",
    (
        graph(
            "Delay of the loop, p99",
            "By how much a timer of 100 ms is late: everything else of the process is at least as late.",
            "s",
            Query(quantile(0.99, "tickwire_loop_lag_seconds", "instance"), "{{instance}}"),
            pages=("Loop lag",),
        ),
        graph(
            "Garbage collection, p99",
            "Pauses by generation, 0 while there is none; nothing else runs meanwhile.",
            "s",
            Query(rare(0.99, "tickwire_gc_pause_seconds", "generation"), "generation {{generation}}"),
        ),
        graph(
            "Time in garbage collection",
            "Share of the time.",
            "percentunit",
            Query(rate("tickwire_gc_pause_seconds_sum", "instance"), "{{instance}}"),
            highest=1,
        ),
        graph(
            "CPU",
            "Cores in use.  A gateway has one loop: near 1 it is full, and its clients must spread.",
            "none",
            Query(
                rate("process_cpu_seconds_total", "instance"),
                "{{instance}}",
            ),
            decimals=2,
            steps=((None, "green"), (0.9, "red")),
        ),
        graph("Memory", "Resident.", "bytes", Query(chosen("process_resident_memory_bytes"), "{{instance}}")),
        graph(
            "Memory per client",
            "Resident memory over connections; what the process needs without clients is in it, too.",
            "bytes",
            Query(
                f"{chosen('process_resident_memory_bytes')} "
                f"/ on (instance) clamp_min({chosen('tickwire_connections')}, 1)",
                "{{instance}}",
            ),
            pages=("Memory growth", "Memory near limit"),
        ),
        graph(
            "File descriptors",
            "Share of the limit.  Beyond it nobody can be accepted.",
            "percentunit",
            Query(f"{chosen('process_open_fds')} / {chosen('process_max_fds')}", "{{instance}}"),
            highest=1,
            steps=SHARE_OF_LIMIT,
            pages=("Descriptors",),
        ),
        graph(
            "Tasks",
            "asyncio tasks that have not ended: a few per client.  They must fall when clients leave.",
            "short",
            Query(chosen("tickwire_loop_tasks"), "{{instance}}"),
            decimals=0,
        ),
        states(
            "Draining",
            "From the order to end on: not ready, then clients are sent away.",
            Query(chosen("tickwire_draining"), "{{instance}}"),
            steps=((None, "green"), (1, "orange")),
            texts={"0": "serves", "1": "drains"},
        ),
    ),
)
