"""Alertmanager's configuration against the alerts that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

_DEPLOY: Final = Path(__file__).parents[3] / "deploy"
_CONFIGURATION: Final[dict[str, Any]] = yaml.safe_load((_DEPLOY / "alertmanager/alertmanager.yml").read_text())
_ALERTS: Final = {
    rule["alert"]: rule["labels"]["severity"]
    for file in (_DEPLOY / "prometheus/rules").glob("*.yml")
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def test_each_severity_has_a_route() -> None:
    """Each severity of an alert has a route to the receiver of its name."""
    routes = {tuple(route["matchers"]): route["receiver"] for route in _CONFIGURATION["route"]["routes"]}

    assert _ALERTS
    for severity in set(_ALERTS.values()):
        assert routes[(f"severity = {severity}",)] == severity


def test_addresses_stand_in_files() -> None:
    """Each receiver's address stands in a file of its own, of which there is a placeholder that reaches nobody."""
    for receiver in _CONFIGURATION["receivers"]:
        (webhook,) = receiver["webhook_configs"]
        folder, _, name = webhook["url_file"].rpartition("/")
        assert (folder, name) == ("/run/receivers", receiver["name"])
        assert (_DEPLOY / "alertmanager/receivers" / name).read_text() == f"http://127.0.0.1:9/{name}"


def test_what_is_held_back_exists() -> None:
    """Each rule that holds alerts back names alerts that there are."""
    texts = [
        matcher
        for rule in _CONFIGURATION["inhibit_rules"]
        for side in rule.values()
        for matcher in side
        if " " in matcher
    ]
    patterns = [
        text.partition("~")[2].strip(' "') for text in texts if text.startswith(("alertname =~", "alertname !~"))
    ]
    names = [text.rpartition(" ")[2] for text in texts if text.startswith("alertname = ")]

    assert names
    assert patterns
    assert set(names) <= _ALERTS.keys()
    for pattern in patterns:
        held = [name for name in _ALERTS if re.fullmatch(pattern, name)]
        assert len(held) >= pattern.count("|") + 1, pattern


def test_watchdog_is_never_held_back() -> None:
    """No rule holds the watchdog back: its silence is the alarm."""
    for rule in _CONFIGURATION["inhibit_rules"]:
        names = [matcher for matcher in rule["target_matchers"] if matcher.startswith("alertname")]
        assert any(not _matches(matcher, "Watchdog") for matcher in names), rule


def _matches(matcher: str, name: str) -> bool:
    """Return whether *matcher*, of the label `alertname`, takes *name*."""
    _, operator, value = matcher.split(" ", 2)
    return (re.fullmatch(value.strip('"'), name) is not None) is operator.startswith("=")
