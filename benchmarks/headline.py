"""What the two README files show of a run, between their markers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.aims import verdicts
from benchmarks.report import aims_table, markdown_table
from benchmarks.row import Row

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")
ONE: Final = "fan-out, one tick at a time"
OFTEN: Final = "fan-out, one tick at a time, 90 a second"
BATCH: Final = "fan-out, 16 ticks a batch"
MARKETS: Final = (
    "market, 1,000 ticks/s",
    "market, 5,000 ticks/s",
    "market, 20,000 ticks/s",
    "market, 40,000 ticks/s",
)

FAN_OUT: Final = """\
Measured on {date} on {cores} shared cores that ran all of it at once (server, RabbitMQ, producer, load generator);
only figures of one table compare.  CPU in µs per delivery, 500 clients of one symbol, the median of three runs in
turns:"""
MARKET: Final = """\
The whole way, from the time at which a tick was due to its arrival: simulated market, RabbitMQ 3.10, one gateway
process, 500 clients of 10 of 100 symbols each.  Pacing (`TICKWIRE_PACING_MS`): the default, or as named."""


def headline(machine: Mapping[str, str], rows: Sequence[Row]) -> str:
    """Return what the first page shows: who costs what, and how much goes through RabbitMQ how fast."""
    measured = FAN_OUT.format(**machine)
    parts = [measured, _fan_out(rows), MARKET, _markets(rows), _connections(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def results(machine: Mapping[str, str], rows: Sequence[Row]) -> str:
    """Return what the benchmarks' own page shows: the aims, and where all rows are."""
    where = f"Every row, with notes: [results/{machine['date']}.md](results/{machine['date']}.md)."
    return f"{where}\n\n{aims_table(verdicts(rows))}\n"


def inserted(page: str, marker: str, content: str) -> str:
    """Return *page* with *content* between `<!-- marker -->` and `<!-- /marker -->`.

    Raises:
        ValueError: the page has no such markers.
    """
    between = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    changed, count = between.subn(lambda found: found[1] + content + found[2], page)
    if count != 1:
        raise ValueError(f"the page has {count} places for {marker!r} instead of one")
    return changed


def update(machine: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Write both pages."""
    contents = (("headline", headline(machine, rows)), ("results", results(machine, rows)))
    for path, (marker, content) in zip(PAGES, contents, strict=True):
        path.write_text(inserted(path.read_text(), marker, content))


def _fan_out(rows: Sequence[Row]) -> str:
    costs = {(row.scenario, row.who): row.cpu_us for row in rows}
    names = dict.fromkeys(row.who for row in rows if row.scenario == ONE)
    lines = [(_bold(who), *(_cost(costs, scenario, who) for scenario in (ONE, OFTEN, BATCH))) for who in names]
    return markdown_table(
        lines,
        ("server", "one tick, 40 times a second", "one tick, 90 times a second", "16 ticks, 40 times a second"),
    )


def _cost(costs: Mapping[tuple[str, str], float | None], scenario: str, who: str) -> str:
    cost, floor = costs.get((scenario, who)), costs.get((scenario, "C send loop"))
    if not cost:
        return ""
    return f"{cost:.2f}" if not floor else f"{cost:.2f} ({cost / floor:.2f} of C)"


def _bold(who: str) -> str:
    return f"**{who}**" if who == "Tickwire" else who


def _markets(rows: Sequence[Row]) -> str:
    lines = [
        (
            row.scenario.removeprefix("market, ") + row.who.removeprefix("Tickwire"),
            f"{row.per_s:,.0f}", f"{row.p50:.0f}", f"{row.p99:.0f}", f"{row.cpu_us:.2f}",
        )
        for row in rows
        if row.scenario in MARKETS
    ]  # fmt: skip
    return markdown_table(lines, ("", "deliveries/s", "p50, ms", "p99, ms", "gateway, µs per delivery"))


def _connections(rows: Sequence[Row]) -> str:
    idle = [row for row in rows if "idle" in row.scenario and row.memory_kb]
    return "\n".join(
        f"- {row.scenario} ({row.note.split(';')[0]}): {row.memory_kb:.1f} KB of memory per connection, "
        f"{row.detail['idle_cores']:.1%} of a core."
        for row in idle
    )
