"""What a dashboard asks of Prometheus, with its variables as Grafana fills them in where nobody chose anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

SCRAPE_S: Final = 5
"""Between two scrapes of Tickwire's processes, as the data source's `timeInterval` says."""
SHOWN_S: Final = 60
"""The time that the dashboard shows; as long as the load of the tests lasts."""
_LABEL_VALUES: Final = re.compile(r"label_values\((?P<selector>.+), *(?P<label>\w+)\)")
_UNFILLED: Final = re.compile(r"\$\w+|\$\{")


class Question(NamedTuple):
    """One query, and the panel that asks it."""

    where: str
    expression: str


class Choice(NamedTuple):
    """A variable: its values are those of *label* in the series that *selector* selects."""

    name: str
    selector: str
    label: str


ANY: Final = MappingProxyType({"instance": ".*", "node": ".*"})


def questions(dashboard: Mapping[str, Any], chosen: Mapping[str, str] = ANY) -> Iterator[Question]:
    """Yield every query of every panel, with *chosen* in the place of variables of these names."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Question(f"{panel['title']}, {target['refId']}", filled(target, chosen))


def all_of(values: Iterable[str]) -> str:
    """Return what Grafana puts in the place of a variable of which all *values* are chosen."""
    escaped = [re.escape(value).replace("\\", "\\\\") for value in sorted(values)]
    return f"({'|'.join(escaped)})"


def filled(target: Mapping[str, Any], chosen: Mapping[str, str]) -> str:
    """Return the query of *target* without variables.

    Raises:
        ValueError: it has one that is not known here.
    """
    step = int(target.get("interval", f"{SCRAPE_S}s").removesuffix("s"))
    values = {"__rate_interval": f"{4 * step}s", "__range": f"{SHOWN_S}s", **chosen}
    expression: str = target["expr"]
    for name, value in values.items():
        expression = expression.replace(f"${name}", value)
    if left := _UNFILLED.search(expression):
        raise ValueError(f"{expression}: nobody knows {left[0]}")
    return expression


def choices(dashboard: Mapping[str, Any]) -> Iterator[Choice]:
    """Yield the variables whose values Prometheus is asked for."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert found, f"{variable['name']}: {variable['query']['query']}"
            yield Choice(variable["name"], found["selector"], found["label"])
