"""Code blocks of our guides, as a reader would copy them.

A block says in its info string what a test does with it: `run` runs it by itself (`run client`: with the built
JavaScript client), `cell` after the cells before it; `from FILE`: it stands in that file, word by word.  Others,
such as output, are not looked at.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
DEMO: Final = "localhost:8080"
"""Where the guides' demo listens."""
_FENCE: Final = re.compile(r"^```(?P<info>\S.*)\n(?P<text>(?:.*\n)*?)```$", re.MULTILINE)


class Block(NamedTuple):
    """One block of *page*, which begins at *line*."""

    page: Path
    line: int
    language: str
    order: str
    """`run`, `cell`, `from`, or nothing."""
    argument: str
    text: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def at(self, address: str) -> str:
        """Return its text for a demo at *address*, `HOST:PORT`."""
        return self.text.replace(DEMO, address)


def blocks(page: Path) -> list[Block]:
    """Return the blocks of *page*, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, order, argument = (*match["info"].split(maxsplit=2), "", "")[:3]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, order, argument, match["text"]))
    return found
