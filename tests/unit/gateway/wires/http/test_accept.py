"""What a client takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.http.accept import accepted_form, takes_gzip
from gateway.wires.http.query import Form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form.JSON),
        ("*/*", Form.JSON),
        ("text/csv", Form.CSV),
        ("TEXT/CSV", Form.CSV),
        ("text/csv, */*;q=0.5", Form.CSV),
        ("text/*", Form.CSV),
        ("application/json, text/csv", Form.JSON),
        ("application/json;q=0.5, text/csv", Form.CSV),
        ("text/csv;q=0, */*", Form.JSON),
        ("text/csv;q=x", Form.JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form.JSON),
    ],
)
def test_form(accept: str, form: Form) -> None:
    """A table is for who prefers one; JSON is for everybody else."""
    assert accepted_form(accept) is form


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br", False),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("identity, gzip;q=0.1", True),
    ],
)
def test_gzip(header: str, takes: bool) -> None:  # noqa: FBT001 - of a table
    """Gzip is for who names it, or takes anything, unless it is excluded."""
    assert takes_gzip(header) is takes


@given(st.text(max_size=200))
def test_whatever_comes(header: str) -> None:
    """Any header is read."""
    assert accepted_form(header) in Form
    assert takes_gzip(header) in (True, False)
