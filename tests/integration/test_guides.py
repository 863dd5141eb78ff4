"""The guides for users, followed: their blocks run against a demo, or stand in an example that other tests run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.fenced import ROOT, Block, blocks
from tests.guestdemo import demo

GUIDES: Final = ROOT / "docs" / "guides"
PAGES: Final = [*sorted(GUIDES.glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]
ALL: Final = [block for page in PAGES for block in blocks(page)]
PATIENCE_S: Final = 60
COMMANDS: Final = {
    "sh": ["bash", "-eu", "-c"],
    "python": [sys.executable, "-W", "error", "-c"],
    "js": ["node", "--experimental-websocket", "--no-warnings", "--input-type=module", "--eval"],
}
"""Without pipefail, as people's shells are: a `grep` that has seen enough ends its `curl`."""


@pytest.fixture(scope="module", name="address")
def _address() -> Iterator[str]:
    """A demo's HOST:PORT."""
    with demo(TICKWIRE_RATE="200") as url:
        yield url.removeprefix("http://")


@pytest.fixture(scope="module", name="client")
def _client() -> None:
    """The JavaScript client, built."""
    client = ROOT / "clients" / "javascript"
    if not (client / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-fund", "--no-audit"], cwd=client, check=True)  # noqa: S607
    subprocess.run(["npm", "run", "build"], cwd=client, check=True)  # noqa: S607


def _run(language: str, text: str, folder: Path, address: str) -> str:
    # Examples that a block only names take the gateway from there.
    environment = {**os.environ, "TICKWIRE_URL": address}
    done = subprocess.run(  # noqa: S603 - ours
        [*COMMANDS[language], text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _folder(tmp_path: Path) -> Path:
    """A place like the root of a clone, where what is written is not ours."""
    for name in ("examples", ".venv", "clients"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "tickwire-client").symlink_to(ROOT / "clients" / "javascript")
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("block", [b for b in ALL if b.argument == "client"], ids=lambda block: block.name)
def test_block_of_the_client(block: Block, address: str, tmp_path: Path) -> None:
    """A block that imports the JavaScript client runs, and prints something."""
    assert _run(block.language, block.at(address), _folder(tmp_path), address).strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [b for b in ALL if b.order == "run" and not b.argument], ids=lambda block: block.name
)
def test_block(block: Block, address: str, tmp_path: Path) -> None:
    """A block that stands alone runs, and prints something."""
    assert _run(block.language, block.at(address), _folder(tmp_path), address).strip()


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({b.page for b in ALL if b.order == "cell"}), ids=lambda page: page.stem)
def test_cells(page: Path, address: str, tmp_path: Path) -> None:
    """The cells of a page run one after another."""
    cells = [block for block in blocks(page) if block.order == "cell"]
    assert _run(
        cells[0].language, "\n".join(block.at(address) for block in cells), _folder(tmp_path), address
    ).strip()


@pytest.mark.parametrize("block", [b for b in ALL if b.order == "from"], ids=lambda block: block.name)
def test_quoted(block: Block) -> None:
    """A block from an example stands there, word by word."""
    assert block.text in (ROOT / block.argument).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """Every relative link leads to a file or folder."""
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_guide_is_listed() -> None:
    """The index names every guide."""
    index = (GUIDES / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in GUIDES.glob("*.md") if page.name != "README.md" and page.name not in index] == []
