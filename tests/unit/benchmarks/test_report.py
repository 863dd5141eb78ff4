"""Rows, aims and the page that shows them."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.aims import verdicts
from benchmarks.report import as_json, as_markdown, earlier
from benchmarks.row import Row, median_row, merged
from benchmarks.scenarios import FULL, QUICK

ONE = "fan-out, one tick at a time"
MACHINE = {"date": "2026-11-23", "cores": "2"}


def test_the_median_run_stands_for_all() -> None:
    """Of several runs the one with the median cost is shown, with the costs of all."""
    row = median_row([Row("x", "y", 10.0, cpu_us=cost, p50=cost * 2) for cost in (9.0, 3.0, 5.0)])
    assert (row.cpu_us, row.p50, row.runs) == (5.0, 10.0, (9.0, 3.0, 5.0))


def test_an_aim_is_judged_by_the_ratio_of_its_rows() -> None:
    """12 µs over a floor of 8 µs is 1.50, which misses 1.20; over nchan's 13 µs it is reached."""
    rows = [Row(ONE, "C send loop", 1.0, cpu_us=8.0), Row(ONE, "Tickwire", 1.0, cpu_us=12.0)]
    rows.append(Row(ONE, "nchan", 1.0, cpu_us=13.0))
    assert [(v.found, v.reached) for v in verdicts(rows)] == [("1.50", False), ("0.92", True)]


def test_what_was_not_run_is_not_judged() -> None:
    """No row, no verdict."""
    assert verdicts([]) == []


def test_holes_miss_an_aim_whatever_the_latency() -> None:
    """A market run with one hole is not sustained."""
    counts = {"generator": {"conflated": 0, "gaps": 0}}
    name = "market, 5,000 ticks/s"
    for holes, reached in ((0, True), (1, False)):
        row = Row(name, "Tickwire", 250_000, cpu_us=1.0, p99=14.0, holes=holes, detail=counts)
        assert [v.reached for v in verdicts([row])] == [reached]


def test_the_page_has_every_row_and_the_machine() -> None:
    """Markdown and JSON say the same; a figure that there is not is an empty cell."""
    rows = [Row(ONE, "Tickwire", 20_000.4, cpu_us=11.987, note="how")]
    page = as_markdown(MACHINE, rows, verdicts(rows), ["nats: this machine lacks nats-server"])
    assert "| fan-out, one tick at a time | Tickwire | 11.99                  | 20,000       |" in page
    assert "- Not measured: nats: this machine lacks nats-server" in page
    assert "- cores: 2" in page
    found = json.loads(as_json(MACHINE, rows, [], []))
    assert (found["machine"], found["rows"][0]["cpu_us"], found["rows"][0]["p50"]) == (MACHINE, 11.987, None)


def test_scenarios_run_again_replace_their_rows(tmp_path: Path) -> None:
    """What was not run again stays, in the order of the scenarios; what no scenario is called any more goes."""
    path = tmp_path / "x.json"
    assert earlier(path) == []
    before = [Row("c", "Tickwire", 1.0), Row("a", "Tickwire", 1.0, runs=(1.0, 2.0)), Row("gone", "Tickwire", 1.0)]
    path.write_text(as_json(MACHINE, before, [], []))
    rows = merged(["a", "b", "c"], earlier(path), [Row("c", "Tickwire", 2.0), Row("b", "nchan", 3.0)])
    assert [(row.scenario, row.per_s) for row in rows] == [("a", 1.0), ("b", 3.0), ("c", 2.0)]
    assert rows[0] == before[1]


def test_scenarios_have_different_names() -> None:
    """A name finds one scenario."""
    for scenarios in (FULL, QUICK):
        assert len({scenario.name for scenario in scenarios}) == len(scenarios)
