"""Tables for spreadsheets."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.http.table import harmless, moment, rows

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(st.lists(_TEXTS, min_size=2, max_size=4), max_size=5))
def test_read_again(lines: list[list[str]]) -> None:
    """Whatever a cell has, quotes and line ends too, a reader of CSV gets it back."""
    text = rows(lines).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == lines


def test_nothing() -> None:
    """What there is not is an empty cell, and each line ends as RFC 4180 says."""
    assert rows([("a", None, 1)]) == b"a,,1\r\n"


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas(text: str) -> None:
    """A name that a spreadsheet would calculate is made a text."""
    assert harmless(text) == f"'{text}"


@given(st.text(max_size=20))
def test_names(text: str) -> None:
    """No name begins like a formula afterwards, and others stay as they are."""
    assert harmless(text) in (text, f"'{text}")
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_moment() -> None:
    """A time has milliseconds and is UTC; one that no calendar has stays a number."""
    assert moment(1_795_000_000_123_456) == "2026-11-18 11:06:40.123"
    assert moment(9_999_999_999_999_999) == "2286-11-20 17:46:39.999"
    assert moment(9_999_999_999_999_999_999).startswith("9999999999999.")
