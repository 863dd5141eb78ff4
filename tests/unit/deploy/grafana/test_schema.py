"""The dashboards against Grafana's own schema, as its package `grafana-foundation-sdk` publishes it.

That package is generated from the schema: what a model does not know it drops, and each field has a type.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.__main__ import dashboards

DASHBOARDS: Final = dashboards()
UNITS: Final = {value for value in vars(units).values() if isinstance(value, str)}
_SIMPLE: Final = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    """Let the package know every kind of panel and query."""
    register_default_plugins()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_schema(name: str) -> None:
    """A dashboard has no field that Grafana's schema does not know, and no value that it does not allow."""
    assert [*_faults(DASHBOARDS[name])] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("panels", 1, "fieldConfig", "defaults", "units"), "s"),
        (("panels", 1, "fieldConfig", "defaults", "min"), "0"),
        (("panels", 1, "options", "colourMode"), "background"),
        (("panels", 1, "options", "colorMode"), "backgrounds"),
        (("panels", 1, "targets", 0, "legend"), "x"),
        (("panels", 1, "gridPos", "w"), 3.5),
        (("templating", "list", 0, "type"), "datasources"),
        (("graphTooltip",), 9),
    ],
)
def test_what_is_wrong_is_found(path: tuple[str | int, ...], value: object) -> None:
    """A field that is misspelled and a value that is not allowed are found."""
    dashboard: Any = json.loads(json.dumps(DASHBOARDS["overview"]))  # nothing shared
    place = dashboard
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert len([*_faults(dashboard)]) == 1


def test_units() -> None:
    """Every unit is one that Grafana knows."""
    assert "cps" in UNITS
    for dashboard in DASHBOARDS.values():
        for panel in dashboard["panels"]:
            assert panel.get("fieldConfig", {"defaults": {"unit": "none"}})["defaults"]["unit"] in UNITS


def _faults(dashboard: dict[str, Any]) -> Iterator[str]:
    model = Dashboard.from_json(dashboard)
    yield from _lost(dashboard, json.loads(JSONEncoder().encode(model)), "")
    yield from _wrong(model, Dashboard, "")


def _lost(given: Any, kept: Any, path: str) -> Iterator[str]:
    """Yield what is in *given* and not in *kept*."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name not in kept:
                yield f"{path}.{name} is no field"
            else:
                yield from _lost(value, kept[name], f"{path}.{name}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for index, pair in enumerate(zip(given, kept, strict=True)):
            yield from _lost(*pair, f"{path}[{index}]")
    elif given != kept:
        yield f"{path}: {given!r} became {kept!r}"


def _wrong(value: Any, hint: Any, path: str) -> Iterator[str]:
    """Yield where *value* is not what *hint* and the hints of its own parts say."""
    if hasattr(type(value), "from_json"):  # a model, also where the hint says no more than `object`
        for name, inner in get_type_hints(type(value)).items():
            if name in vars(value):
                yield from _wrong(getattr(value, name), inner, f"{path}.{name}")
    elif isinstance(value, dict) and (
        known := _model(hint)
    ):  # the package leaves the links of a panel as they are
        model = known.from_json(value)
        yield from _lost(value, json.loads(JSONEncoder().encode(model)), path)
        yield from _wrong(model, known, path)
    elif isinstance(value, list):
        (inner,) = _part(hint, list) or (object,)
        for index, item in enumerate(value):
            yield from _wrong(item, inner, f"{path}[{index}]")
    elif not any(_is(value, allowed) for allowed in _alternatives(hint)):
        yield f"{path}: {value!r} is no {hint}"


def _model(hint: Any) -> Any:
    """Return the alternative of *hint* that is a model, None where there is none."""
    return next((one for one in _alternatives(hint) if hasattr(one, "from_json")), None)


def _is(value: Any, hint: Any) -> bool:
    if hint in (object, Any):
        return True
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if isinstance(kind := get_origin(hint), type):
        return isinstance(value, kind)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return value in {member.value for member in hint}
    kinds = _SIMPLE.get(hint, (hint,))
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _part(hint: Any, kind: type) -> tuple[Any, ...]:
    """Return the arguments of the alternative of *hint* that is a *kind*."""
    return next((get_args(one) for one in _alternatives(hint) if get_origin(one) is kind), ())
