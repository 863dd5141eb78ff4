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
from tickwire.canary.settings import CanarySettings
from tickwire.limits import limits_table
from tickwire.reference import metrics_page, settings_page, with_limits, write

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in (GatewaySettings, ProducerSettings, HistorySettings, CanarySettings):
        for field in settings.model_fields:
            monkeypatch.delenv(variable(field), raising=False)


async def test_metrics() -> None:
    """docs/metrics.md is what `python -m tickwire.reference` writes."""
    assert await metrics_page() == (DOCS / "metrics.md").read_text(encoding="utf-8")


def test_settings() -> None:
    """docs/settings.md is what `python -m tickwire.reference` writes."""
    assert settings_page() == (DOCS / "settings.md").read_text(encoding="utf-8")


def test_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command writes both pages, the table of limits between its marks, and nothing else."""

    async def page() -> str:
        return "metrics"

    monkeypatch.setattr(reference, "metrics_page", page)
    begin, end = reference._LIMITS_BEGIN, reference._LIMITS_END
    (tmp_path / "security.md").write_text(f"before\n{begin}\nold\n{end}\nafter\n")

    asyncio.run(write(tmp_path))

    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "metrics.md": "metrics",
        "settings.md": settings_page(),
        "security.md": f"before\n{begin}\n{limits_table()}{end}\nafter\n",
    }


def test_limits() -> None:
    """The limits in docs/security.md are what `python -m tickwire.reference` writes."""
    page = (DOCS / "security.md").read_text(encoding="utf-8")

    assert with_limits(page) == page
    with pytest.raises(ValueError, match="needs the marks"):
        with_limits("no marks")
