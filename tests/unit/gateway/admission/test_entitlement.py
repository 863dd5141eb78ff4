"""Unit tests of `gateway.admission.entitlement`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.entitlement import ANYBODY, MOST_PATTERNS, BadClaims, Entitlement, parse_entitlement
from services.market.symbol import Symbol

NAMES = st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,15}", fullmatch=True).map(Symbol)


def test_nothing_is_allowed_by_default() -> None:
    """Claims without symbols let their bearer follow nothing."""
    found = parse_entitlement({"sub": "u"})

    assert found == Entitlement(subject="u")
    assert not found.allows(Symbol("AAPL"))


def test_every_claim_is_read() -> None:
    """Names, prefixes, limits and times stand in the entitlement as they were claimed."""
    claims = {
        "sub": "u",
        "jti": "t",
        "iat": 1,
        "exp": 2.5,
        "symbols": ["AAPL", "BRK.*"],
        "max_symbols": 3,
        "max_rate": 0.5,
        "max_connections": 4,
        "delayed": True,
        "color": "red",
    }

    assert parse_entitlement(claims) == Entitlement(
        "u", "t", 1.0, 2.5, frozenset({Symbol("AAPL")}), ("BRK.",), 3, 0.5, 4, delayed=True
    )


@given(NAMES, NAMES)
def test_names_and_prefixes(symbol: Symbol, other: Symbol) -> None:
    """A symbol is allowed exactly if it is named, begins with a prefix, or everything is allowed."""
    assert parse_entitlement({"symbols": [other]}).allows(symbol) == (symbol == other)
    prefix = other[:3]
    assert parse_entitlement({"symbols": [prefix + "*"]}).allows(symbol) == symbol.startswith(prefix)
    assert parse_entitlement({"symbols": ["*"]}).allows(symbol)
    assert ANYBODY.allows(symbol)
    assert ANYBODY.everything


@pytest.mark.parametrize(
    "claims",
    [
        {"symbols": "AAPL"},
        {"symbols": ["aapl"]},
        {"symbols": ["A*L"]},
        {"symbols": ["#"]},
        {"symbols": [1]},
        {"symbols": ["**"]},
        {"symbols": ["A" * 17]},
        {"symbols": ["AAPL\n"]},
        {"symbols": [f"A{n}*" for n in range(MOST_PATTERNS + 1)]},
        {"symbols": ["A"] * 10_001},
        {"sub": ""},
        {"sub": 7},
        {"jti": "x" * 257},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("nan")},
        {"iat": -1},
        {"max_symbols": 0},
        {"max_symbols": True},
        {"max_connections": 1.5},
        {"max_rate": 0.01},
        {"max_rate": "fast"},
        {"delayed": 1},
    ],
)
def test_other_shapes_are_refused(claims: dict[str, Any]) -> None:
    """A claim of another shape is an error that names the claim, never a wider entitlement."""
    with pytest.raises(BadClaims, match=next(iter(claims))):
        parse_entitlement(claims)
