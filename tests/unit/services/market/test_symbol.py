"""The one place where a symbol's spelling is checked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import BadSymbol
from services.market.symbol import PATTERN, parse_symbol


@pytest.mark.parametrize("text", ["A", "AAPL", "BRK.B", "7203", "BTC-USD", "A" * 16])
def test_good_symbols(text: str) -> None:
    """Capitals, digits, dots and hyphens are symbols, up to 16 characters."""
    assert parse_symbol(text) == text


@pytest.mark.parametrize("text", ["", "aapl", ".A", "-A", "A" * 17, "A B", "A\n", "*", "A#", "Ä", "A/B"])
def test_bad_symbols(text: str) -> None:
    """Anything that could mean more than itself in a routing key or in JSON is refused."""
    with pytest.raises(BadSymbol, match="does not match"):
        parse_symbol(text)


@pytest.mark.parametrize("value", [None, 1, b"AAPL", ["A"], True])
def test_other_types(value: object) -> None:
    """What is not a string is refused by type."""
    with pytest.raises(BadSymbol, match=type(value).__name__):
        parse_symbol(value)


@given(st.text(max_size=20))
def test_pattern_says_the_same(text: str) -> None:
    """The published pattern and the check agree, but for the line end that `$` would let through."""
    try:
        good = parse_symbol(text) == text
    except BadSymbol:
        good = False
    assert good == bool(re.match(PATTERN, text) and not text.endswith("\n"))
