"""What `pip install` of the wheel brings besides Python."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from gateway.wires.pages import FOLDER

_ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)


def test_page_is_in_the_wheel(tmp_path: Path) -> None:
    """The wheel holds each file of the built page, and nothing of what the page is built from."""
    subprocess.run(["make", "wheel", f"WHEELS={tmp_path}"], cwd=_ROOT, check=True)  # noqa: S603, S607 - ours
    names = set(zipfile.ZipFile(next(tmp_path.glob("tickwire-*.whl"))).namelist())
    root = FOLDER.parents[2]
    built = {path.relative_to(root).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert "gateway/web/dist/index.html" in built
    assert {name for name in names if name.startswith("gateway/web/")} == built | {"gateway/web/unbuilt.html"}
