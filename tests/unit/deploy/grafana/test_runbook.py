"""The runbook as a dashboard."""

from __future__ import annotations

import pytest

from deploy.grafana import runbook

_TEXT = "# Runbook\n\nAbout it.\n\n## Feed stale\n\n**Means.** Old.\n\n## Certificate: ends\n\nSoon.\n"


def test_pages() -> None:
    """The text below each heading is a page; what stands before the first heading is none."""
    assert runbook.pages(_TEXT) == {"Feed stale": "**Means.** Old.", "Certificate: ends": "Soon."}


def test_anchor() -> None:
    """A heading's anchor is what GitHub makes of it."""
    assert runbook.anchor("Certificate: ends") == "certificate-ends"


def test_unknown_page() -> None:
    """A panel cannot link to a page that is not there."""
    with pytest.raises(ValueError, match="No such page"):
        runbook.page_link("No such page")


def test_links_between_pages() -> None:
    """No link of a page leads into the file that it was taken from."""
    for panel in runbook.panels():
        assert "](#" not in panel["options"]["content"], panel["title"]
