"""The table of every bound in docs/architecture.md against the code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import gateway
import producer
import services.broker
import services.history
import tickwire.canary
import tickwire.load

DOCS = Path(__file__).parents[3] / "docs"
NO_BOUND = {
    "gateway.wires.native.encode.PROTOCOL",
    "gateway.wires.native.parse.LARGEST",
    "gateway.wires.native.parse.LEAST_RATE",
    "gateway.wires.native.parse.MOST_RATE",
    "services.broker.rabbitmq.content.BASIC",
}
"""Numbers of a protocol: docs/protocol.md states ours, AMQP 0.9.1 the class of basic."""


def _table() -> dict[str, str]:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("## Every bound")[2]
    return dict(re.findall(r"^\| `([\w.\[\]-]+)` \| ([\d,.]+) \|", page, re.MULTILINE))


def _value(name: str) -> float:
    """Return what a row names: `module.CONSTANT`, or `module.CONSTANT[key]`."""
    path, _, key = name.rstrip("]").partition("[")
    module, _, constant = path.rpartition(".")
    value = getattr(importlib.import_module(module), constant)
    return float(value[key] if key else value)


def test_values() -> None:
    """Every row names a constant that exists, with its value."""
    table = _table()

    assert table
    assert {name: float(text.replace(",", "")) for name, text in table.items()} == {n: _value(n) for n in table}


def test_completeness() -> None:
    """Every number that one of these packages names as a constant stands in the table."""
    packages = (gateway, producer, services.broker, services.history, tickwire.canary, tickwire.load)
    named = {name for package in packages for name in _constants(package)}

    assert named - NO_BOUND - _table().keys() == set()


def _constants(package: ModuleType) -> Iterator[str]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if found.name.startswith("producer.sources"):
            continue  # a model of a market, not a bound
        for name, value in vars(importlib.import_module(found.name)).items():
            number = re.fullmatch(r"[A-Z][A-Z_]+", name) and type(value) in (int, float)
            if number and _made_in(found.name, name):
                yield f"{found.name}.{name}"


def _made_in(module: str, name: str) -> bool:
    """Whether *module* makes the constant, rather than importing it."""
    source = Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8")
    return re.search(rf"^{name}(: Final\S*)? = ", source, re.MULTILINE) is not None


def test_metrics() -> None:
    """Every metric that the table names is one of docs/metrics.md."""
    known = (DOCS / "metrics.md").read_text(encoding="utf-8")
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")

    named = set(re.findall(r"`(tickwire_\w+)`", page))

    assert named
    assert {name for name in named if f"`{name}`" not in known} == set()
