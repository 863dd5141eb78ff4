"""One line of the table: what a scenario cost, and how late its ticks were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """Figures of one run, or of the median one of several."""

    scenario: str
    who: str
    """Whose server it is, or which variant of ours."""
    per_s: float
    """Deliveries per second; of ingest and publish messages, of a storm connections."""
    cpu_us: float | None = None
    """Microseconds of CPU, user and system, of the server's processes per delivery."""
    p50: float | None = None
    """Milliseconds from a tick's scheduled time to its arrival, as `p99` and `p999`."""
    p99: float | None = None
    p999: float | None = None
    memory_kb: float | None = None
    """Kilobytes (1,024 bytes) of the server's private memory per connection."""
    pacing_ms: float | None = None
    """Milliseconds of schedule that the publisher sends together; None: it sends at fixed times."""
    holes: int = 0
    """Ticks that are neither delivered nor conflated nor named, counted as places."""
    note: str = ""
    runs: tuple[float, ...] = ()
    """`cpu_us` of every run, where there were several."""
    detail: Mapping[str, Any] = field(default_factory=dict)


def median_row(rows: Iterable[Row]) -> Row:
    """Return the run with the median cost, with the costs of all in `runs`."""
    runs = list(rows)
    costs = tuple(row.cpu_us or 0.0 for row in runs)
    middle = median(costs)
    chosen = min(runs, key=lambda row: abs((row.cpu_us or 0.0) - middle))
    return replace(chosen, runs=tuple(round(cost, 3) for cost in costs))


def merged(names: Sequence[str], before: Iterable[Row], now: Sequence[Row]) -> list[Row]:
    """Return the rows of *now*, and those of *before* whose scenarios are not among them, ordered as *names*."""
    again = {row.scenario for row in now}
    rows = [row for row in before if row.scenario not in again] + list(now)
    return sorted((row for row in rows if row.scenario in names), key=lambda row: names.index(row.scenario))
