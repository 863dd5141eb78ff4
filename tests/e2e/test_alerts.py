"""The alerts against promtool of the very image that the stack runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = os.environ.get("TICKWIRE_PROMETHEUS_IMAGE", "prom/prometheus:v2.53.3")


def promtool(*arguments: str) -> str:
    """Run promtool in the folder of the alerts and return what it says."""
    mount = f"{ROOT / 'deploy' / 'prometheus'}:/etc/prometheus:ro"
    command = ["docker", "run", "--rm", "--network", "none", "-v", mount, "-w", "/etc/prometheus"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "--entrypoint", "promtool", IMAGE, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_alerts_fire_when_they_should() -> None:
    """Each alert fires after its time, with its numbers, and does not fire without its reason."""
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")


def test_configuration_is_valid() -> None:
    """Prometheus takes the configuration with its alerts."""
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_each_alert_has_its_page() -> None:
    """Each alert's runbook_url leads to a heading of the runbook, and each is tested."""
    rules, tests = (
        (ROOT / "deploy" / "prometheus" / name).read_text() for name in ("alerts.yml", "alerts.test.yml")
    )
    headings = {
        line.removeprefix("## ").lower().replace(" ", "-")
        for line in (ROOT / "deploy" / "runbook.md").read_text().splitlines()
        if line.startswith("## ")
    }
    named = {line.rpartition("#")[2].strip() for line in rules.splitlines() if "runbook_url" in line}
    alerts = {line.partition("alert: ")[2] for line in rules.splitlines() if "- alert: " in line}

    assert named == headings
    assert len(named) == len(alerts)
    assert all(f"alertname: {alert}" in tests for alert in alerts)
