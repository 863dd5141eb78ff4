"""Which process this is, and what it is made of."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import aiohttp
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

VERSION: Final = "0.1.0"
"""Of Tickwire, as `pyproject.toml` has it; the package's own record of it is a file, which no loop should read."""


class Process(StrEnum):
    """What a process is for: the closed set of the label `process`."""

    GATEWAY = "gateway"
    PRODUCER = "producer"
    HISTORY = "history"
    CANARY = "canary"
    DEMO = "demo"
    """All but the canary in one."""


class BuildInfo(Collector):
    """A gauge that is always 1, with everything of interest in its labels."""

    def __init__(self, registry: CollectorRegistry, process: Process) -> None:
        self._labels = {
            "process": process.value,
            "version": VERSION,
            "python": platform.python_version(),
            "loop": _loop(),
            "aiohttp": aiohttp.__version__,
        }
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the gauge."""
        family = GaugeMetricFamily(
            "tickwire_build_info", "Always 1; the labels say what runs.", labels=[*self._labels]
        )
        family.add_metric([*self._labels.values()], 1)
        yield family


def _loop() -> str:
    """Return the library of the running loop: uvloop or asyncio; none where none runs."""
    try:
        return type(asyncio.get_running_loop()).__module__.partition(".")[0]
    except RuntimeError:
        return "none"
