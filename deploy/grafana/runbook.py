"""The runbook, inside Grafana: one panel per page of deploy/runbook.md, which other panels link to.

A link into the repository would need the repository's address, and a browser that may go there at 3 a.m.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

UID: Final = "tickwire-runbook"
TITLE: Final = "Tickwire: runbook"
FILE: Final = Path(__file__).parents[1] / "runbook.md"
PAGE_HEIGHT: Final = 12
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(#([a-z0-9-]+)\)")


def pages(text: str | None = None) -> dict[str, str]:
    """Return the text below each heading of the runbook (or of *text*)."""
    _, *parts = _HEADING.split(FILE.read_text(encoding="utf-8") if text is None else text)
    return dict(zip(parts[::2], (body.strip() for body in parts[1::2]), strict=True))


def anchor(heading: str) -> str:
    """Return the part of a link that leads to *heading*, as GitHub makes it."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def address(heading: str) -> str:
    """Return where the page is in Grafana.

    Raises:
        ValueError: the runbook has no such page.
    """
    return f"/d/{UID}?viewPanel={list(pages()).index(heading) + 1}"


def page_link(heading: str) -> dict[str, Any]:
    """Return a panel's link to a page."""
    return {"title": f"Runbook: {heading}", "url": address(heading), "targetBlank": True}


def panels() -> list[dict[str, Any]]:
    """Return the pages as panels, two in a row."""
    found = []
    for index, (heading, body) in enumerate(pages().items()):
        place = {"h": PAGE_HEIGHT, "w": 12, "x": index % 2 * 12, "y": index // 2 * PAGE_HEIGHT}
        options = {"mode": "markdown", "content": _LINK.sub(_inside, body)}
        found.append({"id": index + 1, "type": "text", "title": heading, "gridPos": place, "options": options})
    return found


def _inside(link: re.Match[str]) -> str:
    """Return a link between two pages as one inside Grafana."""
    heading = next(name for name in pages() if anchor(name) == link[1])
    return f"]({address(heading)})"
