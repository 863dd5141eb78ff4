"""The symbols that a simulation trades, and the file that lists them.

`symbol,name,price,volatility,beta,weight`, one header line, RFC 4180 quoting, UTF-8.  *price* is the first price
in USD (and the previous close), *volatility* per square root of a year (0.25: 25 %), *beta* towards the common
market factor, *weight* ticks per second of simulated time, so only the ratios between symbols matter for rates.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from services.errors import BadSymbol, BadSymbolFile
from services.market.symbol import Symbol, parse_symbol

COLUMNS: Final = ("symbol", "name", "price", "volatility", "beta", "weight")
MOST_SYMBOLS: Final = 20_000
"""About 10 KB of memory each; one heartbeat with the marks of all is 400 KB."""
LONGEST_FILE: Final = 4 * 1024 * 1024
"""Bytes; 200 for each of MOST_SYMBOLS."""
BUILT_IN: Final = "symbols.csv"
LONGEST_NAME: Final = 80

PRICES: Final = (0.01, 1_000_000.0)
VOLATILITIES: Final = (0.01, 5.0)
BETAS: Final = (-5.0, 5.0)
WEIGHTS: Final = (0.01, 100_000.0)

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?").fullmatch


class Listing(NamedTuple):
    """One line of the file.  *price* is in units of 10**-*decimals*: cents, below one dollar 1/100 of a cent."""

    symbol: Symbol
    name: str
    price: int
    volatility: float
    beta: float
    weight: float
    decimals: int


def load(path: Path | None) -> tuple[Listing, ...]:
    """Return the listings in the file at *path*; None: the 100 built-in US stocks.

    Raises:
        BadSymbolFile: the file cannot be read, or breaks a rule.
    """
    shown = BUILT_IN if path is None else str(path)
    try:
        source = files("producer.sources") / BUILT_IN if path is None else path
        with source.open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise BadSymbolFile(shown, 1, COLUMNS[0], f"the file cannot be read: {error.strerror}") from error
    return parse(content, shown)


def parse(content: bytes, path: str) -> tuple[Listing, ...]:
    """Return the listings in *content*, the bytes of the file that errors call *path*.

    Raises:
        BadSymbolFile: the first rule that is broken, by line and column.
    """
    if len(content) > LONGEST_FILE:
        raise BadSymbolFile(path, 1, COLUMNS[0], f"the file is longer than {LONGEST_FILE} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadSymbolFile(path, line, COLUMNS[0], "the line is not UTF-8") from error
    rows = _rows(text, path)
    _check_header(next(rows, (1, [])), path)
    listings: dict[Symbol, tuple[int, Listing]] = {}
    for line, cells in rows:
        listing = _Row(path, line, cells).listing()
        if listing.symbol in listings:
            first = listings[listing.symbol][0]
            raise BadSymbolFile(path, line, "symbol", f"{listing.symbol} stands on line {first} already")
        if len(listings) == MOST_SYMBOLS:
            raise BadSymbolFile(path, line, "symbol", f"a file lists at most {MOST_SYMBOLS} symbols")
        listings[listing.symbol] = line, listing
    if not listings:
        raise BadSymbolFile(path, 2, "symbol", "the file lists no symbol")
    return tuple(listing for _, listing in listings.values())


def _rows(text: str, path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty with the line on which it begins."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadSymbolFile(path, line, COLUMNS[0], f"the line is not CSV: {error}") from error


def _check_header(row: tuple[int, list[str]], path: str) -> None:
    line, cells = row
    names = [cell.strip() for cell in cells]
    for place, column in enumerate(COLUMNS):
        if place >= len(names) or names[place] != column:
            found = repr(names[place]) if place < len(names) else "nothing"
            reason = f"the header must be {','.join(COLUMNS)}, but has {found} here"
            raise BadSymbolFile(path, line, column, reason)
    if len(names) > len(COLUMNS):
        raise BadSymbolFile(path, line, names[len(COLUMNS)][:32], f"the header must be {','.join(COLUMNS)}")


class _Row:
    """One line's cells, on the way to a listing."""

    def __init__(self, path: str, line: int, cells: Iterable[str]) -> None:
        self._path, self._line = path, line
        self._cells = [cell.strip() for cell in cells]

    def listing(self) -> Listing:
        """The listing, each cell checked from left to right."""
        if len(self._cells) < len(COLUMNS):
            self._fault(COLUMNS[len(self._cells)], "the column is missing")
        if len(self._cells) > len(COLUMNS):
            self._fault(COLUMNS[-1], f"{len(self._cells)} cells, but there are {len(COLUMNS)} columns")
        symbol = self._symbol()
        name = self._cells[1]
        if not 0 < len(name) <= LONGEST_NAME:
            self._fault("name", f"a name has 1 to {LONGEST_NAME} characters, not {len(name)}")
        price = self._number("price", *PRICES)
        decimals = 2 if price >= 1 else 4
        return Listing(
            symbol,
            name,
            round(price * 10**decimals),
            self._number("volatility", *VOLATILITIES),
            self._number("beta", *BETAS),
            self._number("weight", *WEIGHTS),
            decimals,
        )

    def _symbol(self) -> Symbol:
        try:
            return parse_symbol(self._cells[0])
        except BadSymbol as error:
            self._fault("symbol", str(error))

    def _number(self, column: str, least: float, most: float) -> float:
        text = self._cells[COLUMNS.index(column)]
        if _NUMBER(text) is None:
            self._fault(column, f"{text[:32]!r} is not a decimal number")
        value = float(text)
        if not least <= value <= most:
            self._fault(column, f"{text} is outside {least:g} to {most:g}")
        return value

    def _fault(self, column: str, reason: str) -> NoReturn:
        raise BadSymbolFile(self._path, self._line, column, reason)
