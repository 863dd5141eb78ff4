"""What happens where there is no container engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import MissingRequirement
from tests.e2e.stack import Stack


def test_no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `docker` the stack refuses to start with a sentence that says what is missing."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingRequirement, match=r"need a Docker engine .* no `docker`"):
        Stack().up()


def test_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `docker` whose engine does not answer is named with the command that fails."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingRequirement, match="`docker info` fails"):
        Stack().up()
