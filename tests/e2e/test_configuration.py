"""The files of Prometheus and Alertmanager against the tools of the very images that the stack runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = os.environ.get("TICKWIRE_PROMETHEUS_IMAGE", "prom/prometheus:v2.53.3")
ALERTMANAGER: Final = os.environ.get("TICKWIRE_ALERTMANAGER_IMAGE", "prom/alertmanager:v0.28.1")


def run(image: str, folder: str, *command: str) -> str:
    """Run *command* of *image* in *folder* of deploy, and return what it says."""
    start = ["docker", "run", "--rm", "--network", "none", "-v", f"{ROOT / 'deploy' / folder}:/etc/{folder}:ro"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*start, "-w", f"/etc/{folder}", "--entrypoint", command[0], image, *command[1:]],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_its_configuration() -> None:
    """Prometheus takes the configuration with all its rules."""
    assert "is valid" in run(PROMETHEUS, "prometheus", "promtool", "check", "config", "prometheus.yml")


def test_alertmanager_takes_its_configuration() -> None:
    """Alertmanager takes the configuration."""
    said = run(ALERTMANAGER, "alertmanager", "amtool", "check-config", "alertmanager.yml")

    assert "SUCCESS" in said


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("severity=page", "page"),
        ("severity=ticket", "ticket"),
        ("severity=warn", "warn"),
        ("alertname=Watchdog severity=warn", "watchdog"),
        ("severity=unheard_of", "page"),
    ],
)
def test_each_severity_has_its_receiver(labels: str, receiver: str) -> None:
    """An alert goes to the receiver of its severity, the watchdog's to its own, others to a page."""
    command = ("amtool", "config", "routes", "test", "--config.file=alertmanager.yml", *labels.split())

    assert run(ALERTMANAGER, "alertmanager", *command).split() == [receiver]
