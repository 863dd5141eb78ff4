"""A panel: what it shows, in which unit and range, and what Grafana reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from deploy.grafana.runbook import page_link

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
LINE: Final = 8
"""Height of a graph, in Grafana's units of 30 pixels."""
SMALL: Final = 4
"""Height of a number."""
OFTEN: Final = ""
"""The step of what is scraped as often as the data source says: Tickwire's processes."""
SELDOM: Final = "15s"
"""The least step of what RabbitMQ tells: it is scraped every 15 s, and a `rate` needs two scrapes."""

GREEN: Final = "green"
AMBER: Final = "orange"
RED: Final = "red"
Steps = tuple[tuple[float | None, str], ...]
"""From which value on a colour counts; the first value is None."""
GOOD_AT_ONE: Final[Steps] = ((None, RED), (1, GREEN))
BAD_ABOVE_ZERO: Final[Steps] = ((None, GREEN), (1e-9, RED))
SHARE_OF_LIMIT: Final[Steps] = ((None, GREEN), (0.7, AMBER), (0.9, RED))
NO_STEPS: Final[Steps] = ((None, GREEN),)


class Kind(StrEnum):
    """How a panel draws; the values are Grafana's."""

    GRAPH = "timeseries"
    NUMBER = "stat"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, and the name of what it gives; *step* as `SELDOM` says."""

    expression: str
    legend: str
    step: str = OFTEN


@dataclass(frozen=True, slots=True)
class Panel:
    """What is shown.  *lowest*, *highest* and *decimals*: the range and precision; *pages*: of the runbook."""

    kind: Kind
    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    lowest: float | None = 0
    highest: float | None = None
    decimals: int | None = None
    width: int = 8
    steps: Steps = NO_STEPS
    texts: Mapping[str, str] = field(default_factory=dict)
    stacked: bool = False
    pages: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """In Grafana's units."""
        return SMALL if self.kind is Kind.NUMBER else LINE

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return what Grafana reads: the panel *number* of its dashboard, at *x* and *y*."""
        return {
            "id": number,
            "type": self.kind.value,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "links": [page_link(page) for page in self.pages],
            "targets": [self._target(query, index) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": _OPTIONS[self.kind],
        }

    def _target(self, query: Query, index: int) -> dict[str, Any]:
        now = self.kind is Kind.NUMBER
        target: dict[str, Any] = {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": query.expression,
            "legendFormat": query.legend,
            "editorMode": "code",
            "instant": now,
            "range": not now,
        }
        return target | {"interval": query.step} if query.step else target

    def _defaults(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "unit": self.unit,
            "min": self.lowest,
            "max": self.highest,
            "decimals": self.decimals,
            "noValue": "no data",
            "thresholds": {"mode": "absolute", "steps": [{"value": v, "color": c} for v, c in self.steps]},
            "mappings": self._mappings(),
            "color": {"mode": "palette-classic" if self.kind is Kind.GRAPH else "thresholds"},
            "custom": self._custom(),
        }
        return {name: value for name, value in found.items() if value not in (None, [], {})}

    def _mappings(self) -> list[dict[str, Any]]:
        if not self.texts:
            return []
        return [{"type": "value", "options": {value: {"text": text} for value, text in self.texts.items()}}]

    def _custom(self) -> dict[str, Any]:
        if self.kind is Kind.GRAPH:
            drawn = {"lineWidth": 1, "fillOpacity": 30 if self.stacked else 8, "showPoints": "never"}
            marks = {"thresholdsStyle": {"mode": "line" if len(self.steps) > 1 else "off"}}
            return drawn | marks | {"stacking": {"mode": "normal" if self.stacked else "none", "group": "A"}}
        return {"fillOpacity": 70, "lineWidth": 0} if self.kind is Kind.STATES else {}


def graph(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Return lines over time."""
    return Panel(Kind.GRAPH, title, description, unit, queries, **more)


def number(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Return how it stands now, in large type."""
    return Panel(Kind.NUMBER, title, description, unit, queries, **{"width": 3, **more})


def states(title: str, description: str, *queries: Query, **more: Any) -> Panel:
    """Return a bar per series whose colour is its state: 1 is good unless *steps* says otherwise."""
    given = {"highest": 1, "decimals": 0, "steps": GOOD_AT_ONE, **more}
    return Panel(Kind.STATES, title, description, "none", queries, **given)


_OPTIONS: Final[Mapping[Kind, dict[str, Any]]] = {
    Kind.GRAPH: {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull", "max"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Kind.NUMBER: {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "auto",
        "textMode": "auto",
        "orientation": "auto",
    },
    Kind.STATES: {
        "mergeValues": True,
        "showValue": "never",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    },
}
