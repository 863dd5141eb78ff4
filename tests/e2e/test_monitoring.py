"""What watches the stack: the canary, the rules, Alertmanager; and clients that make something to watch."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import yaml

from tests.e2e.stack import ROOT, Stack
from tests.e2e.until import until

pytestmark = pytest.mark.timeout(1500)  # the first test's time holds the build of the image

FOLLOWED: Final = 5
"""Symbols of the canary, unless told otherwise."""
CLIENTS: Final = 10
"""Simulated ones, of each of two addresses: two cores carry the whole stack."""
LOAD: Final = {"TICKWIRE_LOAD_CLIENTS": str(CLIENTS), "TICKWIRE_LOAD_ADDRESSES": "2"}


async def test_rules_are_loaded(stack: Stack) -> None:
    """Prometheus evaluates every rule of deploy/prometheus/rules, and none of them fails."""
    wanted = {
        rule.get("alert") or rule["record"]
        for file in (ROOT / "deploy/prometheus/rules").glob("*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    }

    def found() -> dict[str, str]:
        groups = stack.prometheus("rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    rules = await until(found, lambda value: "unknown" not in value.values())
    assert rules == dict.fromkeys(wanted, "ok")
    assert "Watchdog" in wanted


async def test_canary_sees_the_promise_kept(stack: Stack) -> None:
    """The canary follows its symbols through the proxy, gets ticks, measures them, and finds no violation."""
    followed = await until(
        lambda: stack.values('tickwire_canary_symbols{state="followed"}'),
        lambda value: value == {"canary:9103": FOLLOWED},
    )
    assert followed
    ticks = 'tickwire_canary_latency_seconds_count{stage="total"}'
    before = stack.values(ticks)["canary:9103"]
    await until(lambda: stack.values(ticks), lambda value: value["canary:9103"] > before)
    assert stack.values("sum by (instance) (tickwire_canary_violations_total)") == {"canary:9103": 0}
    left = stack.values("tickwire_canary_certificate_not_after_seconds - time()")
    assert 0 < left["canary:9103"] <= 12 * 3600


async def test_canary_has_no_key_of_the_authority(stack: Stack) -> None:
    """Of the authority's folder the canary sees the certificate alone."""
    listed = stack.compose("exec", "-T", "canary", "find", "/run/authority", "-type", "f")

    assert listed.split() == ["/run/authority/root.crt"]


async def test_nobody_is_told_without_the_profile(stack: Stack) -> None:
    """Without the profile `alerts` Prometheus knows no Alertmanager, and does not complain about it."""
    assert stack.prometheus("alertmanagers")["activeAlertmanagers"] == []
    logs = stack.compose("logs", "--no-color", "prometheus")

    assert "alertmanager" not in "".join(line for line in logs.splitlines() if "level=info" not in line)


async def test_alertmanager_is_told(stack: Stack) -> None:
    """With the profile `alerts` what fires reaches Alertmanager: the watchdog, which always does."""
    async with _added(stack, "alerts", "alertmanager"):
        url = f"http://127.0.0.1:{stack.alertmanager_port}/api/v2/alerts"
        alerts = await until(lambda: _json(url), lambda value: "Watchdog" in _receivers(value), patience=90.0)
        assert _receivers(alerts)["Watchdog"] == ["watchdog"]


async def test_load_moves_the_figures(stack: Stack) -> None:
    """With the profile `load` clients of several addresses come in, follow, and are sent ticks."""
    sent = "sum(rate(tickwire_ticks_sent_total[15s]))"
    async with _added(stack, "load", "load", LOAD):
        # the canary is one of them; those that come and go are away for some of the time
        await until(
            lambda: stack.values("sum(tickwire_connections)"),
            lambda value: sum(value.values()) >= 1.5 * CLIENTS,
            patience=60.0,
        )
        await until(lambda: stack.values(sent), lambda value: sum(value.values()) >= 20 * CLIENTS, patience=60.0)
        addresses = stack.compose("ps", "--quiet", "load").split()
        assert len(addresses) == 2
        figures = await until(lambda: _figures(stack), bool)
        assert {figure["violations"] for figure in figures} == {0}


async def test_dashboards_reach_grafana(stack: Stack) -> None:
    """What Grafana mounts as its dashboards are those that the image holds, each of them JSON."""
    stack.compose("run", "--rm", "-T", "dashboards")
    listed = stack.compose("run", "--rm", "-T", "--entrypoint", "find", "dashboards", "/dashboards", "-type", "f")
    home = stack.config["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert home.replace("/etc/grafana/dashboards", "/dashboards") in listed.split()
    assert len(listed.split()) >= 4
    assert all(name.endswith(".json") for name in listed.split())


@asynccontextmanager
async def _added(
    stack: Stack, profile: str, service: str, given: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """Have *service* of *profile* run while the context lasts."""
    start = ("--profile", profile, "up", "--detach", "--no-build", "--no-deps", "--wait", service)
    await asyncio.to_thread(stack.compose, *start, given=given)
    try:
        yield
    finally:
        await asyncio.to_thread(stack.compose, "--profile", profile, "rm", "--stop", "--force", service)


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - http, above
        return json.load(response)


def _receivers(alerts: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {a["labels"]["alertname"]: [receiver["name"] for receiver in a["receivers"]] for a in alerts}


def _figures(stack: Stack) -> list[dict[str, Any]]:
    lines = stack.compose("logs", "--no-color", "--no-log-prefix", "load").splitlines()
    # Compose begins a line with a code for terminals, whatever it writes to.
    events = [json.loads(line[line.index("{") :]) for line in lines if "{" in line]
    return [event for event in events if event["event"] == "load.figures"]
