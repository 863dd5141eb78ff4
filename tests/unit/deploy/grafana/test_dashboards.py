"""The dashboards as they are built: what stands where, and whether each panel says what it must."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.grafana import runbook
from deploy.grafana.__main__ import BOARDS, dashboards
from deploy.grafana.board import COLUMNS
from deploy.grafana.gateway import OUTBOX_BYTES
from deploy.grafana.panel import SELDOM
from gateway.outbox import ROOM_BYTES
from tests.monitoring.questions import choices, questions

ROOT: Final = Path(__file__).parents[4]
DASHBOARDS: Final = dashboards()
FOREIGN: Final = ("rabbitmq_", "process_", "python_", "erlang_")
"""How metrics begin that are not ours."""
RECORDED: Final = re.compile(r"record: (tickwire:\S+)")
_NAME: Final = re.compile(r"\b(?:tickwire[_:]|rabbitmq_|process_|python_|erlang_)[\w:]+|\bup\b|\bALERTS\b")
_SUFFIX: Final = re.compile(r"_(?:bucket|sum|count)$")


def _panels(name: str) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard that show figures."""
    for panel in DASHBOARDS[name]["panels"]:
        if panel["type"] not in {"row", "text"}:
            yield panel


@pytest.mark.parametrize("name", DASHBOARDS)
def test_places(name: str) -> None:
    """No two panels of a dashboard overlap, none is wider than the grid, and each has a number of its own."""
    panels = DASHBOARDS[name]["panels"]
    places = [(panel["title"], panel["gridPos"]) for panel in panels]
    for title, place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS, title
        assert place["h"] > 0, title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above, f"{one} and {other} overlap"
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_names() -> None:
    """Each dashboard has an identity of its own, and each panel of one a title of its own."""
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        assert dashboard["description"]
        titles = [panel["title"] for panel in dashboard["panels"]]
        assert len(set(titles)) == len(titles), sorted(title for title in titles if titles.count(title) > 1)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_panels(board: Any) -> None:
    """Each panel has a description that ends, a unit, a range, and a legend for each query, which are distinct."""
    for panel in _panels(board.name):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["description"].endswith("."), panel["title"]
        assert defaults["unit"], panel["title"]
        assert {"min", "max", "decimals"} & defaults.keys(), panel["title"]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(legends), panel["title"]
        assert len(set(legends)) == len(legends), panel["title"]
        if panel["type"] != "stat":
            assert panel["options"]["legend"]["showLegend"], panel["title"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_variables(board: Any) -> None:
    """Data source and instances can be chosen on each dashboard, several at once, and all of them at first."""
    source, *choosable = DASHBOARDS[board.name]["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert "instance" in {choice.name for choice in choices(DASHBOARDS[board.name])}
    for variable in choosable:
        assert variable["multi"], variable["name"]
        assert variable["includeAll"], variable["name"]
        assert variable["current"]["value"] == ["$__all"], variable["name"]
    for panel in _panels(board.name):
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]


def test_metrics_exist() -> None:
    """Every metric that a query names is in docs/metrics.md, is recorded by a rule, or is somebody else's."""
    ours = set(re.findall(r"^\| `(tickwire_\w+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
    rules = "\n".join(file.read_text() for file in (ROOT / "deploy/prometheus/rules").glob("*.yml"))
    known = ours | set(RECORDED.findall(rules)) | {"up", "ALERTS"}
    for name, dashboard in DASHBOARDS.items():
        for question in questions(dashboard):
            named = set(_NAME.findall(re.sub(r'"[^"]*"', '""', question.expression)))
            assert named, question
            strangers = {n for n in named - known if _SUFFIX.sub("", n) not in ours and not n.startswith(FOREIGN)}
            assert not strangers, f"{name}, {question.where}: nobody shows {sorted(strangers)}"


def test_rabbitmqs_step() -> None:
    """What RabbitMQ tells has the step of its scrapes, so that a rate over Grafana's window has two samples."""
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (scraped,) = (job["scrape_interval"] for job in jobs if job["job_name"] == "rabbitmq")
    assert scraped == SELDOM
    for name in DASHBOARDS:
        for panel in _panels(name):
            for target in panel["targets"]:
                assert ("rabbitmq_" in target["expr"]) == (target.get("interval") == SELDOM), target["expr"]


def test_every_page_has_a_panel() -> None:
    """Every page of the runbook is linked from a panel, so that each alert has figures to look at."""
    linked = {link["title"] for name in DASHBOARDS for panel in _panels(name) for link in panel["links"]}
    assert linked == {f"Runbook: {heading}" for heading in runbook.pages()}


def test_links_lead_somewhere() -> None:
    """Every link to a page opens the panel that has its heading."""
    pages = {str(panel["id"]): panel["title"] for panel in DASHBOARDS["runbook"]["panels"]}
    for name in DASHBOARDS:
        for panel in _panels(name):
            for link in panel["links"]:
                number = link["url"].removeprefix(f"/d/{runbook.UID}?viewPanel=")
                assert link["title"] == f"Runbook: {pages[number]}"


def test_bound() -> None:
    """The line at which a client conflates is where the code has it."""
    assert OUTBOX_BYTES == ROOM_BYTES


def test_command(tmp_path: Path) -> None:
    """`python -m deploy.grafana FOLDER` writes every dashboard, with nothing but the standard library."""
    command = (sys.executable, "-S", "-m", "deploy.grafana", str(tmp_path / "made"))
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)  # noqa: S603 - our own command
    made = {file.stem: json.loads(file.read_text()) for file in (tmp_path / "made").glob("*.json")}
    assert made == json.loads(json.dumps(DASHBOARDS))
