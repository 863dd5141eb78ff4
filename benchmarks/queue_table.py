"""What live queues cost the broker, as a table: from `benchmarks/figures/queues.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "figures" / "queues.json"
_COLUMNS: Final = (
    ("RabbitMQ", "broker", ""),
    ("symbols", "symbols", ",d"),
    ("`TICKWIRE_QUEUES`", "queues", ""),
    ("queues", "live", ",d"),
    ("memory, MB", "memory_mb", ",.0f"),
    ("KB a symbol", "symbol_kb", ",.1f"),
    ("broker's CPU to follow all, s", "follow_cpu_s", ",.1f"),
    ("gateway's, s", "follow_gateway_cpu_s", ",.1f"),
    ("until followed, s", "follow_s", ",.0f"),
    ("others wait, ms", "follow_stall_ms", ",.0f"),
    ("broker's CPU to end all, s", "close_cpu_s", ",.1f"),
    ("until gone, s", "close_s", ",.0f"),
    ("others wait, ms", "close_stall_ms", ",.0f"),
    ("broker's CPU a message, µs", "tick_broker_us", ",.0f"),
    ("load", "load", ".0f"),
)


def queue_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table of *rows*: by version, symbols, and queues."""
    lines = [" | ".join(head for head, _, _ in _COLUMNS), "|".join("---:" for _ in _COLUMNS)]
    for row in sorted(rows, key=_order):
        values = {**row, "symbol_kb": row["memory_mb"] * 1_000 / row["symbols"]}
        lines.append(" | ".join(format(values[key], style) for _, key, style in _COLUMNS))
    return "".join(f"| {line} |\n" if " | " in line else f"|{line}|\n" for line in lines)


def _order(row: Mapping[str, Any]) -> tuple[list[int], int, int]:
    version = [int(part) for part in row["broker"].split(".")]
    return version, row["symbols"], -1 if row["queues"] == "symbol" else row["live"]


def read_rows(path: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return rows
