"""The image's lock against the project's ranges."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

_ROOT: Final = Path(__file__).parents[3]
_PROJECTS: Final = ("pyproject.toml", "clients/python/pyproject.toml")
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)", re.MULTILINE)


def _pins() -> dict[str, str]:
    return dict(_PIN.findall((_ROOT / "deploy/requirements.lock").read_text()))


def test_lock_keeps_the_ranges() -> None:
    """Each dependency of project and client is pinned in the image's lock, within the range that these allow."""
    ours = [tomllib.loads((_ROOT / path).read_text())["project"] for path in _PROJECTS]
    pins = _pins()
    for text in [text for project in ours for text in project["dependencies"]]:
        requirement = Requirement(text)
        if requirement.name in {project["name"] for project in ours}:
            continue  # built from this repository
        assert requirement.name in pins, f"{requirement.name}: make deploy/requirements.lock anew"
        assert requirement.specifier.contains(pins[requirement.name]), text


def test_lock_has_hashes() -> None:
    """Every pin names the hashes of its files, and no address of a registry is written down."""
    text = (_ROOT / "deploy/requirements.lock").read_text()
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert len(blocks) == len(_pins())
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert re.search(r"^--", text, re.MULTILINE) is None
