"""`python -m deploy.grafana FOLDER`: writes every dashboard, each as Grafana's provisioning reads it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from deploy.grafana import runbook
from deploy.grafana.board import Board, frame
from deploy.grafana.broker import BROKER
from deploy.grafana.clients import CLIENTS
from deploy.grafana.gateway import GATEWAY
from deploy.grafana.overview import OVERVIEW

BOARDS: Final[tuple[Board, ...]] = (OVERVIEW, GATEWAY, BROKER, CLIENTS)


def dashboards() -> dict[str, dict[str, Any]]:
    """Return every dashboard by the name of its file, without `.json`."""
    found = {board.name: board.json() for board in BOARDS}
    pages = {"panels": runbook.panels(), "templating": {"list": []}, "annotations": {"list": []}}
    about = "What each alert means, how to confirm it, what to do: deploy/runbook.md."
    return found | {"runbook": frame(runbook.UID, runbook.TITLE, about) | pages}


def main() -> None:
    """Write them into the folder that is named, which is made where it is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, dashboard in dashboards().items():
        text = json.dumps(dashboard, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
