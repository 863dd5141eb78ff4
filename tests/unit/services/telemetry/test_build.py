"""What runs, as a metric."""

from __future__ import annotations

import platform
from importlib.metadata import version

import aiohttp
from prometheus_client import CollectorRegistry

from services.telemetry.build import VERSION, BuildInfo, Process


def labels(registry: CollectorRegistry) -> dict[str, str]:
    """Return the labels of the one series."""
    (family,) = registry.collect()
    (sample,) = family.samples
    assert (sample.name, sample.value) == ("tickwire_build_info", 1)
    return sample.labels


async def test_labels() -> None:
    """The labels name process, versions and the loop that runs."""
    BuildInfo(registry := CollectorRegistry(), Process.GATEWAY)

    assert labels(registry) == {
        "process": "gateway",
        "version": VERSION,
        "python": platform.python_version(),
        "loop": "asyncio",
        "aiohttp": aiohttp.__version__,
    }


def test_version() -> None:
    """The version is the package's."""
    assert version("tickwire") == VERSION


def test_without_a_loop() -> None:
    """Where no loop runs the label says so."""
    BuildInfo(registry := CollectorRegistry(), Process.CANARY)

    assert labels(registry)["loop"] == "none"
