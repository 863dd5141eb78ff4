"""The rules of deploy/prometheus/rules: each alert fires, does not fire without a reason, and has its page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.counters import BUCKETS
from tests.monitoring.prometheus import program
from tickwire.canary.stopwatch import LATENCIES

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy" / "prometheus"
RULES: Final = sorted((DEPLOY / "rules").glob("*.yml"))
CASES: Final = sorted((Path(__file__).parent / "rules").glob("*.test.yml"))
BASE: Final = "{{ $externalLabels.runbooks }}deploy/runbook.md#"
SEVERITIES: Final = {"page", "ticket", "warn"}
ALWAYS: Final = {"Watchdog"}
"""Has no case in which it does not fire."""
FOREIGN: Final = re.compile(r"rabbitmq_\w+|process_\w+|up")
"""Metrics of RabbitMQ, of the Prometheus client library, and of Prometheus."""
WORDS: Final = re.compile(
    r"sum|max|min|count|abs|rate|increase|absent|and|or|unless|on|by|group_left|offset|time|vector"
    r"|histogram_quantile|predict_linear|(sum|avg|max)_over_time"
)
"""Of PromQL, as far as the rules use it."""
LIMITS: Final = {"gateway": "gateway-1", "history": "history-1", "producer": "producer", "canary": "canary"}
"""Whose mem_limit in docker-compose.yml is the limit of a job."""
_UNITS: Final = {"m": 1024**2, "g": 1024**3}


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return what it says, which must be that all is well."""
    done = subprocess.run(  # noqa: S603 - our own command
        [program("promtool"), *arguments], capture_output=True, check=False, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@cache
def _rules() -> list[dict[str, Any]]:
    return [
        rule
        for file in RULES
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


def _alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in _rules() if "alert" in rule}


@cache
def _expected() -> list[tuple[str, bool]]:
    """Return alert, and whether it is expected to fire, of every case."""
    return [
        (case["alertname"], bool(case["exp_alerts"]))
        for file in CASES
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
        for case in group["alert_rule_test"]
    ]


def _metrics(expression: str) -> set[str]:
    """Return the names of series in a PromQL expression."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|group_left)\s*\([^)]*\)", " ", expression)
    return {name for name in re.findall(r"(?<![\w.])[a-z][\w:]*", bare) if not WORDS.fullmatch(name)}


def _selected(expression: str) -> Iterator[tuple[str, str, str]]:
    """Yield metric, label and value of each `metric{label="value"}` in a PromQL expression."""
    for name, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', selector):
            yield from ((name, label, value) for value in values.split("|"))


@cache
def _documented() -> dict[str, dict[str, set[str]]]:
    """Return the metrics of docs/metrics.md, with the values that each of their labels may have."""
    rows = re.findall(
        r"^\| `(tickwire_\w+)` \| (\w+) \| ([^|]*) \|",
        (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    found: dict[str, dict[str, set[str]]] = {}
    for name, kind, said in rows:
        labels = {
            label: set(values.split(", ")) for label, values in re.findall(r"`(\w+)`: ([^;]*)", said.strip())
        }
        for part in ("_bucket", "_count", "_sum") if kind == "histogram" else ("",):
            found[name + part] = labels
    return found


def test_rules_are_valid() -> None:
    """Promtool takes every file of rules."""
    assert "FAILED" not in promtool("check", "rules", *RULES)


def test_configuration_is_valid() -> None:
    """Prometheus takes the shipped configuration, which loads exactly these files."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    said = promtool("check", "config", DEPLOY / "prometheus.yml")

    assert [path for pattern in config["rule_files"] for path in sorted(DEPLOY.glob(pattern))] == RULES
    assert said.count("rules found") == len(RULES)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.name.partition(".")[0])
def test_alerts_fire_when_they_should(file: Path) -> None:
    """Each alert fires after its time, with its numbers, and does not fire without its reason."""
    assert "SUCCESS" in promtool("test", "rules", file)


@pytest.mark.parametrize("alert", _alerts())
def test_each_alert_is_tested_both_ways(alert: str) -> None:
    """An alert has a case in which it fires and one in which it does not."""
    fires = {fires for name, fires in _expected() if name == alert}

    assert fires == ({True} if alert in ALWAYS else {True, False})


def test_cases_lie_beside_their_rules() -> None:
    """Every file of rules has its file of cases, which tests no other."""
    assert [case.name for case in CASES] == [f"{file.stem}.test.yml" for file in RULES]
    for case, file in zip(CASES, RULES, strict=True):
        (named,) = yaml.safe_load(case.read_text(encoding="utf-8"))["rule_files"]
        assert (case.parent / named).resolve() == file


@pytest.mark.parametrize("alert", _alerts())
def test_each_alert_says_what_is_the_matter(alert: str) -> None:
    """An alert has a severity, a summary with the number, one sentence about it, and a name of ours."""
    rule = _alerts()[alert]
    notes = rule["annotations"]

    assert alert.startswith("Tickwire") or alert in ALWAYS
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert "{{ $value" in notes["summary"]
    assert re.fullmatch(r"[A-Z][^.]*(\.\d[^.]*)*\.", notes["description"])


def test_each_alert_has_its_page() -> None:
    """An alert's runbook_url leads to the heading that has its name, and every heading is an alert's."""
    text = (ROOT / "deploy" / "runbook.md").read_text(encoding="utf-8")
    headings = {line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")}
    links = {name: rule["annotations"]["runbook_url"] for name, rule in _alerts().items()}
    words = {name: re.sub(r"(?<!^)(?=[A-Z])", " ", name.removeprefix("Tickwire")).capitalize() for name in links}

    assert set(words.values()) == headings
    assert links == {name: BASE + said.lower().replace(" ", "-") for name, said in words.items()}


def test_each_page_helps() -> None:
    """A page of the runbook says what its alert means, how to confirm it and what to do, in 15 lines."""
    text = (ROOT / "deploy" / "runbook.md").read_text(encoding="utf-8")
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    for page in text.split("\n## ")[1:]:
        parts = re.findall(r"^\*\*(\w+)\.\*\*", page, re.MULTILINE)
        assert parts == ["Means", "Confirm", "Do"], page
        assert len(page.strip().splitlines()) <= 16, page.partition("\n")[0]
    assert set(re.findall(r"\(#([\w-]+)\)", text)) <= anchors


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_metrics_exist(rule: dict[str, Any]) -> None:
    """A rule uses metrics and label values that our processes, rules, RabbitMQ or Prometheus show."""
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    used = _metrics(rule["expr"])

    assert used or rule["expr"].startswith("vector(")
    assert {name for name in used if not FOREIGN.fullmatch(name)} <= _documented().keys() | recorded
    for name, label, value in _selected(rule["expr"]):
        if name in _documented() and label != "le":
            assert value in _documented()[name][label]


def test_objective_is_a_bound_of_both_histograms() -> None:
    """What the rules count as in time is a bucket that gateway and canary show, written as they write it."""
    bounds = {"tickwire_latency_seconds_bucket": BUCKETS, "tickwire_canary_latency_seconds_bucket": LATENCIES}
    named = {(name, le) for rule in _rules() for name, label, le in _selected(rule["expr"]) if label == "le"}

    assert {name for name, _ in named} == bounds.keys()
    assert all(le in map(str, bounds[name]) for name, le in named)


def test_memory_limits_are_those_of_the_compose_file() -> None:
    """The limit that a rule knows of a job is the mem_limit of its containers."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    limits = {job: services[name]["mem_limit"] for job, name in LIMITS.items() if name in services}
    known = {
        rule["labels"]["job"]: eval(rule["expr"].replace("^", "**"), {"vector": int})  # noqa: S307 - our own rules
        for rule in _rules()
        if rule.get("record") == "tickwire:memory_limit:bytes"
    }

    assert known.keys() == LIMITS.keys()
    for job, said in limits.items():
        assert known[job] == int(said[:-1]) * _UNITS[said[-1]]
