"""The tests that docs/guarantees.md names against those that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")


def test_named_tests_exist() -> None:
    """Every file and every test that the table names is there, the test in one of its row's files."""
    rows = [row for row in PAGE.partition("## How it is tested")[2].splitlines() if row.startswith("| ")]
    missing = []
    for row in rows:
        files = [ROOT / name for name in re.findall(r"`([\w/]+/test_\w+\.py)`", row)]
        missing += [str(file) for file in files if not file.is_file()]
        source = "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
        missing += [name for name in re.findall(r"`(test_\w+)`", row) if f"def {name}(" not in source]

    assert len(rows) > 10
    assert missing == []


def test_links() -> None:
    """Every heading that the page links to is there."""
    for path, anchor in re.findall(r"\]\(([\w./]*)#([\w-]+)\)", PAGE):
        text = (ROOT / "docs" / path).read_text(encoding="utf-8") if path else PAGE
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
