"""The pages that the code writes: the committed ones are the newest ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from producer.settings import ProducerSettings
from services.history.settings import HistorySettings
from services.runtime.settings import variable
from tickwire import reference
from tickwire.reference import metrics_page, settings_page, write

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in (GatewaySettings, ProducerSettings, HistorySettings):
        for field in settings.model_fields:
            monkeypatch.delenv(variable(field), raising=False)


async def test_metrics() -> None:
    """docs/metrics.md is what `python -m tickwire.reference` writes."""
    assert await metrics_page() == (DOCS / "metrics.md").read_text(encoding="utf-8")


def test_settings() -> None:
    """docs/settings.md is what `python -m tickwire.reference` writes."""
    assert settings_page() == (DOCS / "settings.md").read_text(encoding="utf-8")


def test_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command writes both pages and nothing else."""

    async def page() -> str:
        return "metrics"

    monkeypatch.setattr(reference, "metrics_page", page)

    asyncio.run(write(tmp_path))

    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "metrics.md": "metrics",
        "settings.md": settings_page(),
    }
