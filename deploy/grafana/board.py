"""A dashboard: rows of panels, placed from left to right, its variables, links and annotations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from deploy.grafana.panel import DATASOURCE, Panel

COLUMNS: Final = 24
"""Grafana's grid."""
SCHEMA: Final = 41
"""Of Grafana 11.6 to 12.1; later ones read it too."""
TAG: Final = "tickwire"
REFRESH: Final = "10s"
SPAN: Final = {"from": "now-30m", "to": "now"}
FIRING: Final = 'ALERTS{alertstate="firing",alertname!="TickwireWatchdog"}'
"""Alerts that fire; the watchdog does always."""
NODES_KNOWN: Final = "label_values(rabbitmq_identity_info, instance)"


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.  *instances*: the query that lists the values of `$instance`; *nodes*: it has `$node`, too."""

    name: str
    title: str
    description: str
    instances: str
    rows: tuple[Row, ...]
    nodes: bool = False

    @property
    def uid(self) -> str:
        """What links name."""
        return f"{TAG}-{self.name}"

    def json(self) -> dict[str, Any]:
        """Return what Grafana reads."""
        return frame(self.uid, self.title, self.description) | {
            "panels": list(self._panels()),
            "templating": {"list": self._variables()},
            "annotations": {"list": [_firing()]},
        }

    def _panels(self) -> Iterator[dict[str, Any]]:
        identity, y = 0, 0
        for row in self.rows:
            identity += 1
            yield _heading(row.title, identity, y)
            y += 1
            x = height = 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, height = 0, y + height, 0
                identity += 1
                yield panel.json(identity, x, y)
                x, height = x + panel.width, max(height, panel.height)
            y += height

    def _variables(self) -> list[dict[str, Any]]:
        source = {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}
        found = [source, _choice("instance", "Instance", self.instances)]
        return [*found, _choice("node", "RabbitMQ node", NODES_KNOWN)] if self.nodes else found


def frame(uid: str, title: str, description: str) -> dict[str, Any]:
    """Return what every dashboard has: its names, its time, and links to the others."""
    others = {"title": "Tickwire", "type": "dashboards", "tags": [TAG], "icon": "external link", "url": ""}
    behaviour = {"tooltip": "", "asDropdown": False, "targetBlank": False, "includeVars": False, "keepTime": True}
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,  # the crosshair is shared by all panels
        "timezone": "browser",
        "refresh": REFRESH,
        "time": SPAN,
        "links": [others | behaviour],
    }


def _heading(title: str, identity: int, y: int) -> dict[str, Any]:
    place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
    return {"id": identity, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _choice(name: str, label: str, query: str) -> dict[str, Any]:
    """Return a variable of several values that begins with all of them.

    Grafana names them all (`a|b`), since `.*` would let in processes of other kinds, which have many metrics, too.
    """
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # at each change of the time shown, so that new instances appear
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _firing() -> dict[str, Any]:
    """Return marks where an alert fired."""
    return {
        "name": "Alerts that fire",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": FIRING,
    }
