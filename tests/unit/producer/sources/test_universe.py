"""The symbol file: what it says, and what is said of one that breaks a rule."""

from __future__ import annotations

from contextlib import suppress
from math import fsum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.universe import LONGEST_FILE, Listing, load, parse
from services.errors import BadSymbolFile
from services.market.symbol import Symbol

HEADER = "symbol,name,price,volatility,beta,weight\n"
GOOD = "AAPL,Apple Inc.,268.50,0.27,1.2,139\n"


def fault(text: str | bytes) -> tuple[int, str, str]:
    """Line, column and reason of the fault in *text*."""
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(BadSymbolFile) as caught:
        parse(content, "my.csv")
    error = caught.value
    assert str(error) == f"my.csv, line {error.line}, column {error.column}: {error.reason}"
    return error.line, error.column, error.reason


def test_built_in_symbols() -> None:
    """100 US stocks are built in; their weights make 2,000 ticks/s real time, and the busiest ten half of it."""
    listings = load(None)
    weights = sorted((listing.weight for listing in listings), reverse=True)
    assert len(listings) == len({listing.symbol for listing in listings}) == 100
    assert fsum(weights) == pytest.approx(2_000)
    assert fsum(weights[:10]) > 0.4 * 2_000
    assert all(listing.decimals == 2 for listing in listings)


def test_a_file_replaces_them(tmp_path: Path) -> None:
    """A path leads to the listings in that file, in its order."""
    path = tmp_path / "two.csv"
    path.write_text(HEADER + GOOD + '\nX-1,"A, quoted",0.125,1,-0.5,0.01\n')
    assert load(path) == (
        Listing(Symbol("AAPL"), "Apple Inc.", 26_850, 0.27, 1.2, 139.0, 2),
        Listing(Symbol("X-1"), "A, quoted", 1_250, 1.0, -0.5, 0.01, 4),
    )


def test_byte_order_mark_and_line_ends_do_not_matter() -> None:
    """A file as spreadsheets write it is read."""
    assert len(parse(b"\xef\xbb\xbf" + (HEADER + GOOD).replace("\n", "\r\n").encode(), "x")) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is refused with the system's reason."""
    with pytest.raises(BadSymbolFile, match=r"none\.csv, line 1, column symbol: .* No such file"):
        load(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 1, "symbol", "the header must be"),
        ("symbol,name,price,volatility,weight\n", 1, "beta", "has 'weight' here"),
        ("symbol,name,price,volatility,beta\n", 1, "weight", "has nothing here"),
        (HEADER.replace("weight", "weight,colour"), 1, "colour", "the header must be"),
        (HEADER, 2, "symbol", "lists no symbol"),
        (HEADER + "aapl,Apple,1,1,1,1\n", 2, "symbol", "does not match"),
        (HEADER + GOOD + GOOD, 3, "symbol", "AAPL stands on line 2 already"),
        (HEADER + GOOD + "\n\nMSFT,,1,1,1,1\n", 5, "name", "1 to 80 characters, not 0"),
        (HEADER + "A,a,twelve,1,1,1\n", 2, "price", "'twelve' is not a decimal number"),
        (HEADER + "A,a,nan,1,1,1\n", 2, "price", "not a decimal number"),
        (HEADER + "A,a,1e3,1,1,1\n", 2, "price", "not a decimal number"),
        (HEADER + "A,a,0,1,1,1\n", 2, "price", "0 is outside 0.01 to 1e+06"),
        (HEADER + "A,a,1,0,1,1\n", 2, "volatility", "0 is outside 0.01 to 5"),
        (HEADER + "A,a,1,1,-6,1\n", 2, "beta", "-6 is outside -5 to 5"),
        (HEADER + "A,a,1,1,1,0\n", 2, "weight", "0 is outside 0.01 to 100000"),
        (HEADER + "A,a,1,1\n", 2, "beta", "the column is missing"),
        (HEADER + "A,a,1,1,1,1,1\n", 2, "weight", "7 cells"),
        (HEADER + 'A,"a\nb",1,1,1,1\nB,b,x,1,1,1\n', 4, "price", "'x' is not"),
        (HEADER + 'A,"a\n', 2, "symbol", "not CSV"),
        ((HEADER + "A,").encode() + b"\xff\n", 2, "symbol", "not UTF-8"),
        (b"x" * (LONGEST_FILE + 1), 1, "symbol", "longer than"),
    ],
)
def test_faults_are_located(text: str | bytes, line: int, column: str, reason: str) -> None:
    """Each broken rule is named by line, column and reason."""
    found = fault(text)
    assert found[:2] == (line, column)
    assert reason in found[2]


def test_too_many_symbols() -> None:
    """A file with more symbols than a producer holds is refused at the first one beyond."""
    rows = "".join(f"S{n},s,1,1,1,1\n" for n in range(20_001))
    assert fault(HEADER + rows) == (20_002, "symbol", "a file lists at most 20000 symbols")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_anything_else_is_one_kind_of_error(content: bytes) -> None:
    """Whatever the bytes, the outcome is listings or BadSymbolFile."""
    for text in (content, HEADER.encode() + content):
        with suppress(BadSymbolFile):
            assert parse(text, "x")
