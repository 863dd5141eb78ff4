"""The directory as an answer."""

from __future__ import annotations

from typing import Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.wires.http.listing import Index, Listed, listed, listing
from gateway.wires.http.query import Form, SymbolsQuery
from services.market.directory import Directory, DirectoryPart, Instrument, SessionState
from services.market.symbol import Symbol

NAMES: Final = {
    "AAL": "American Airlines Group Inc.",
    "AAPL": "Apple Inc.",
    "BRK.B": "Berkshire Hathaway Inc.",
    "GAP": "The Gap, Inc.",
    "PEAR": "=Pear(1)",
}


def instrument(symbol: str, name: str) -> Instrument:
    """One entry."""
    return Instrument(Symbol(symbol), name, "SIM", "USD", 2, 1, 26_850, SessionState.OPEN, 5)


def directory(names: dict[str, str] = NAMES, version: int = 1) -> Directory:
    """A directory of these names."""
    found = Directory()
    found.add(DirectoryPart("main", version, 0, 1, tuple(instrument(*each) for each in names.items())))
    return found


def find(query: SymbolsQuery, entitlement: Entitlement = ANYBODY) -> Listed:
    """A page of the directory."""
    return listed(directory(), Index(), query, entitlement)


def names(page: Listed) -> list[str]:
    """Its symbols."""
    return [each.symbol for each in page.instruments]


@pytest.mark.parametrize(
    ("prefix", "search", "symbols"),
    [
        ("", "", ["AAL", "AAPL", "BRK.B", "GAP", "PEAR"]),
        ("AA", "", ["AAL", "AAPL"]),
        ("BRK.", "", ["BRK.B"]),
        ("ZZ", "", []),
        ("", "apple", ["AAPL"]),
        ("", "HATH", ["BRK.B"]),  # a word in the middle of a name
        ("", "ap", ["AAPL"]),
        ("", "a", ["AAL", "AAPL"]),
        ("", "brk", ["BRK.B"]),
        ("AA", "air", ["AAL"]),
        ("", "the gap", ["GAP"]),
    ],
)
def test_search(prefix: str, search: str, symbols: list[str]) -> None:
    """A search finds what begins a symbol or a word of a name, small or large."""
    assert names(find(SymbolsQuery(prefix, search, None, 100))) == symbols


def test_entitlement() -> None:
    """A token's client sees what it may follow, and nothing else."""
    assert names(find(SymbolsQuery("", "", None, 9), Entitlement(prefixes=("AA",)))) == ["AAL", "AAPL"]
    assert names(find(SymbolsQuery("", "", None, 9), Entitlement())) == []


@given(
    st.sets(st.from_regex(r"[A-C][A-C.\-]{0,3}", fullmatch=True), max_size=20),
    st.integers(1, 6),
    st.sampled_from(["", "A", "AB", "C"]),
)
def test_pages(symbols: set[str], limit: int, prefix: str) -> None:
    """Pages laid one after another have each symbol once, in order."""
    known, index, found = directory(dict.fromkeys(symbols, "Name")), Index(), list[str]()
    after: Symbol | None = None
    while True:
        page = listed(known, index, SymbolsQuery(prefix, "", after, limit), ANYBODY)
        found += names(page)
        assert len(names(page)) <= limit
        if page.following is None:
            break
        assert names(page)[-1] == page.following
        after = page.following
    assert found == sorted(symbol for symbol in symbols if symbol.startswith(prefix))


def test_a_directory_that_changes() -> None:
    """What joins or leaves the directory, or has another name, is found at once."""
    known, index, query = directory(), Index(), SymbolsQuery("", "pea", None, 9)
    assert names(listed(known, index, query, ANYBODY)) == ["PEAR"]
    changed = {"AAL": "Peanuts Air", "NEW": "New Inc."}
    known.add(DirectoryPart("main", 2, 0, 1, tuple(instrument(*each) for each in changed.items())))
    assert names(listed(known, index, query, ANYBODY)) == ["AAL"]
    assert names(listed(known, index, SymbolsQuery("", "", None, 9), ANYBODY)) == ["AAL", "NEW"]


def test_json() -> None:
    """Prices have all their decimals, and the way to the next page is there."""
    content = listing(find(SymbolsQuery("", "", None, 2)), Form.JSON, {"limit": "2"})
    assert (
        b'"tick_size":0.01,"previous_close":268.50,"session":{"state":"open","reason":null,"since":5}'
        in content.pieces[0]
    )
    told = orjson.loads(content.pieces[0])
    assert [each["symbol"] for each in told["symbols"]] == ["AAL", "AAPL"]
    assert told["next"] == "AAPL"
    assert content.link == "limit=2&after=AAPL"


def test_table() -> None:
    """A name that a spreadsheet would calculate is made a text."""
    content = listing(find(SymbolsQuery("P", "", None, 2)), Form.CSV, {})
    assert content.link is None
    assert content.pieces[0].decode().splitlines() == [
        "symbol,name,exchange,currency,decimals,tick_size,previous_close,session,since,time",
        "PEAR,'=Pear(1),SIM,USD,2,0.01,268.50,open,5,1970-01-01 00:00:00.000",
    ]
