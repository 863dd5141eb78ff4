"""What the README files show of the benchmarks is what was measured."""

from __future__ import annotations

import json

import pytest

from benchmarks.headline import PAGES, ROOT, headline, inserted, results
from benchmarks.report import earlier
from benchmarks.row import Row

ONE = "fan-out, one tick at a time"
MACHINE = {"date": "2026-01-02", "cores": "2"}


def test_the_pages_show_the_newest_results() -> None:
    """README and benchmarks/README repeat the newest file of results, and nothing else."""
    newest = max((ROOT / "benchmarks" / "results").glob("*.json"))
    machine, rows = json.loads(newest.read_text())["machine"], earlier(newest)
    first, second = (page.read_text() for page in PAGES)
    assert inserted(first, "headline", headline(machine, rows)) == first
    assert inserted(second, "results", results(machine, rows)) == second


def test_costs_stand_beside_those_of_the_c_loop() -> None:
    """Each server's cost is shown with its ratio to the floor's."""
    rows = [Row(ONE, "C send loop", 1.0, 8.0), Row(ONE, "Tickwire", 1.0, 10.0)]
    shown = headline(MACHINE, rows)
    assert "| **Tickwire** | 10.00 (1.25 of C)" in " ".join(shown.split())
    assert "| C send loop | 8.00 (1.00 of C)" in " ".join(shown.split())


def test_markets_and_connections_are_shown() -> None:
    """A market's row names its rate and way; idle connections are a sentence."""
    rows = [
        Row("market, 20,000 ticks/s", "Tickwire, grouped", 1_000_000.0, 0.5, 30.0, 60.0),
        Row(
            "10,000 idle connections", "Tickwire", 400.0, memory_kb=5.2,
            note="10 symbols each; so", detail={"idle_cores": 0.017},
        ),
    ]  # fmt: skip
    shown = " ".join(headline(MACHINE, rows).split())
    assert "| 20,000 ticks/s, grouped | 1,000,000 | 30 | 60 | 0.50 |" in shown
    assert "- 10,000 idle connections (10 symbols each): 5.2 KB of memory per connection, 1.7% of a core." in shown


def test_a_page_without_its_place_is_an_error() -> None:
    """Nothing is written where the markers are missing or doubled; what stands between them is replaced."""
    assert inserted("a\n<!-- m -->\nold\n<!-- /m -->\nb", "m", "new\n") == "a\n<!-- m -->\nnew\n<!-- /m -->\nb"
    with pytest.raises(ValueError, match="0 places for 'm'"):
        inserted("a", "m", "new")
