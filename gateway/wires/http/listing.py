"""The directory as an answer: searched, cut into pages, written as JSON or CSV.  Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from gateway.admission.entitlement import Entitlement
from gateway.wires.http.answer import Content
from gateway.wires.http.query import Form, SymbolsQuery
from gateway.wires.http.table import harmless, moment, rows
from services.market.directory import Directory, Instrument
from services.market.symbol import Symbol
from services.market.wire import format_price

DIRECTORY_S: Final = 10
"""Seconds that caches may answer with the directory: it is sent that often."""

_HEAD: Final = (
    "symbol", "name", "exchange", "currency", "decimals", "tick_size", "previous_close", "session", "since",
    "time",
)  # fmt: skip
_AFTER_ALL: Final = "\U0010ffff"
"""Sorts behind every character of a symbol."""


class Index:
    """The symbols in order, and their names as a search compares them; made again when the directory changes."""

    def __init__(self) -> None:
        self._version = -1
        self._symbols: list[Symbol] = []
        self._names: dict[Symbol, tuple[str, str]] = {}

    def update(self, directory: Directory) -> None:
        """Take in what *directory* says now; costs nothing where that is what it said before."""
        if directory.changes == self._version:
            return
        self._version = directory.changes
        self._symbols = sorted(directory)
        before, self._names = self._names, {}
        for symbol in self._symbols:
            instrument = directory.get(symbol)
            name = "" if instrument is None else instrument.name
            known = before.get(symbol)
            self._names[symbol] = known if known is not None and known[0] == name else (name, name.casefold())

    def find(self, query: SymbolsQuery, entitlement: Entitlement) -> Iterator[Symbol]:
        """Yield the symbols that *query* asks for and *entitlement* allows, in their order, however many.

        A search finds what begins a symbol, or a word of a name.
        """
        first = bisect_left(self._symbols, query.prefix)
        if query.after is not None:
            first = max(first, bisect_right(self._symbols, query.after))
        end = bisect_left(self._symbols, query.prefix + _AFTER_ALL) if query.prefix else len(self._symbols)
        searched, upper = query.search.casefold(), query.search.upper()
        inside = f" {searched}"
        for symbol in islice(self._symbols, first, max(first, end)):
            name = self._names[symbol][1]
            found = not searched or symbol.startswith(upper) or name.startswith(searched) or inside in name
            if found and entitlement.allows(symbol):
                yield symbol


class Listed(NamedTuple):
    """A page of the directory; *following*: the last symbol, where more follow it."""

    instruments: tuple[Instrument, ...]
    following: Symbol | None


def listed(directory: Directory, index: Index, query: SymbolsQuery, entitlement: Entitlement) -> Listed:
    """Return the page of *directory* that *query* asks for."""
    index.update(directory)
    found = list(islice(index.find(query, entitlement), query.limit + 1))
    page = found[: query.limit]
    instruments = tuple(filter(None, map(directory.get, page)))
    return Listed(instruments, page[-1] if len(found) > query.limit else None)


def listing(page: Listed, form: Form, asked: Mapping[str, str]) -> Content:
    """Return *page* as an answer; *asked*: the query's own parameters, for the way to the next page."""
    link = None if page.following is None else urlencode({**asked, "after": page.following})
    body = _table(page.instruments) if form is Form.CSV else _json(page)
    return Content((body,), form, "symbols", DIRECTORY_S, link)


def _json(page: Listed) -> bytes:
    return orjson.dumps({"symbols": list(map(_fields, page.instruments)), "next": page.following})


def _fields(instrument: Instrument) -> dict[str, Any]:
    decimals = instrument.decimals
    return {
        "symbol": instrument.symbol,
        "name": instrument.name,
        "exchange": instrument.exchange,
        "currency": instrument.currency,
        "decimals": decimals,
        "tick_size": orjson.Fragment(format_price(instrument.tick_size, decimals)),
        "previous_close": orjson.Fragment(format_price(instrument.previous_close, decimals)),
        "session": {"state": instrument.session.value, "reason": None, "since": instrument.since},
    }


def _table(instruments: Iterable[Instrument]) -> bytes:
    return rows([_HEAD, *map(_row, instruments)])


def _row(instrument: Instrument) -> Sequence[object]:
    return (
        instrument.symbol,
        harmless(instrument.name),
        harmless(instrument.exchange),
        harmless(instrument.currency),
        instrument.decimals,
        format_price(instrument.tick_size, instrument.decimals),
        format_price(instrument.previous_close, instrument.decimals),
        instrument.session.value,
        instrument.since,
        moment(instrument.since),
    )
