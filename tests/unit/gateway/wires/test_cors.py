"""Which pages of other hosts may read an answer."""

from __future__ import annotations

from typing import Final

from gateway.admission.origin import parse_origins
from gateway.wires.cors import Cors

PAGE: Final = "https://page.example"
LISTED: Final = Cors(parse_origins([PAGE]))
ALONE: Final = Cors(frozenset())


def test_a_listed_page() -> None:
    """A page on the list may read the answer, and what stands in these headers."""
    found = LISTED.headers(PAGE)
    assert found["Access-Control-Allow-Origin"] == PAGE
    assert {"ETag", "Retry-After", "Tickwire-Resumed", "Link"} <= set(
        found["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Credentials" not in found


def test_everybody_else() -> None:
    """Whoever is not on the list is told nothing, but no cache mixes the two up."""
    for origin in (None, "https://other.example", "null", f"{PAGE}, {PAGE}"):
        assert LISTED.headers(origin) == {"Vary": "Origin"}
        assert LISTED.preflight(origin) is None


def test_without_a_list() -> None:
    """Without a list only pages of this host may ask, which need no such headers."""
    assert ALONE.headers(PAGE) == {}
    assert ALONE.preflight(PAGE) is None


def test_preflight() -> None:
    """A page on the list may send a token, and ask whether something has changed."""
    found = LISTED.preflight(PAGE)
    assert found is not None
    assert found["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert {"Authorization", "If-None-Match"} <= set(found["Access-Control-Allow-Headers"].split(", "))
    assert "Origin" in found["Vary"]
