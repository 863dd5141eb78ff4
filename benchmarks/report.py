"""The table, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tabulate import tabulate

from benchmarks.aims import Verdict
from benchmarks.row import Row

COLUMNS: Final = (
    "scenario",
    "server",
    "CPU, µs per delivery",
    "per second",
    "p50, ms",
    "p99, ms",
    "p99.9, ms",
    "KB per connection",
    "pacing, ms",
    "holes",
)


def as_markdown(
    machine: Mapping[str, str], rows: Sequence[Row], verdicts: Sequence[Verdict], missing: Sequence[str]
) -> str:
    """Return the page: the aims, the table, what each row is, and the machine."""
    parts = [f"# Measured on {machine['date']}", ""]
    if verdicts:
        parts += ["## Aims", "", aims_table(verdicts), ""]
    parts += ["## All rows", "", table(rows), ""]
    parts += [f"- {row.scenario}, {row.who}: {_note(row)}" for row in rows if row.note or row.runs]
    parts += ["", *(f"- Not measured: {word}" for word in missing), "", "## Machine", ""]
    parts += [f"- {name}: {value}" for name, value in machine.items()]
    return "\n".join(parts) + "\n"


def as_json(
    machine: Mapping[str, str], rows: Sequence[Row], verdicts: Sequence[Verdict], missing: Sequence[str]
) -> str:
    """Return all that is known, with the details that the page leaves out."""
    found = {
        "machine": dict(machine),
        "rows": [vars(row) for row in rows],
        "aims": [verdict._asdict() for verdict in verdicts],
        "missing": list(missing),
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def earlier(path: Path) -> list[Row]:
    """Return the rows that `as_json` wrote to *path*; none where there is no such file."""
    if not path.exists():
        return []
    return [Row(**{**row, "runs": tuple(row["runs"])}) for row in json.loads(path.read_text())["rows"]]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    return markdown_table([_cells(row) for row in rows], COLUMNS)


def aims_table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as a Markdown table."""
    lines = [(v.what, v.aim, v.found, "yes" if v.reached else "**no**") for v in verdicts]
    return markdown_table(lines, ("what", "aim", "found", "reached"))


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.scenario,
        row.who,
        _number(row.cpu_us, 2),
        f"{row.per_s:,.0f}",
        _number(row.p50, 1),
        _number(row.p99, 1),
        _number(row.p999, 1),
        _number(row.memory_kb, 1),
        _number(row.pacing_ms, 0),
        str(row.holes),
    )


def _note(row: Row) -> str:
    runs = f"runs: {', '.join(f'{cost:.2f}' for cost in row.runs)} µs" if len(row.runs) > 1 else ""
    return "; ".join(part for part in (row.note, runs) if part)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def markdown_table(lines: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    """Return *lines* under *headers* as a Markdown table."""
    return tabulate(lines, headers=headers, tablefmt="github", disable_numparse=True)
