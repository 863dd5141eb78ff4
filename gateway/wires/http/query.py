"""What a request asks for: its parameters, checked.  Pure.

A parameter that a route does not know is refused rather than ignored: `intervall=1m` would otherwise be answered
with something else than was asked for, and nobody would notice.  `_` is ignored: caches are avoided with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.wires.problem import BAD_PARAMETER, MISSING_PARAMETER, TOO_MANY_SYMBOLS, Problem
from services.errors import BadSymbol
from services.market.candle import MINUTE, SECOND
from services.market.position import Position
from services.market.symbol import PATTERN, Symbol, parse_symbol

LISTED: Final = 100
"""Symbols of the directory in one answer, unless asked for otherwise."""
MOST_LISTED: Final = 1_000
"""Most symbols of the directory in one answer."""
MOST_QUOTED: Final = 200
"""Most symbols of one request for quotes: their answer takes 75 KB."""
TICKS: Final = 1_000
"""Ticks in one answer, unless asked for otherwise."""
MOST_TICKS: Final = 10_000
"""Most ticks in one answer: 1.7 MB, 24 pages of history."""
CANDLES: Final = 300
"""Candles in one answer, unless asked for otherwise."""
MOST_CANDLES: Final = 500
"""Most candles in one answer: as many as history gives at once."""
SEARCHED: Final = 64
"""Most characters of a search for symbols."""

EVERYWHERE: Final = ("format", "ticket", "_")
"""Parameters that every route takes: the form of the answer, a one-time ticket, and one that means nothing."""
INTERVALS: Final = {"1s": SECOND, "1m": MINUTE}

_WHOLE: Final = re.compile(r"[0-9]{1,9}").fullmatch
_POSITION: Final = re.compile(r"([0-9]{1,16})-([0-9]{1,16})").fullmatch
_QUOTED: Final = 40

Pairs = Sequence[tuple[str, str]]
"""Names and values of a query in their order, percent-decoded."""


class Form(StrEnum):
    """What an answer is written in."""

    JSON = "json"
    CSV = "csv"


class SymbolsQuery(NamedTuple):
    """Which symbols of the directory?  *after*: those behind this one in the order of names."""

    prefix: str
    search: str
    after: Symbol | None
    limit: int


class QuotesQuery(NamedTuple):
    """The last ticks of which symbols?  Each stands once."""

    symbols: tuple[Symbol, ...]


class TicksQuery(NamedTuple):
    """Which ticks?  *after* None: the newest ones."""

    symbol: Symbol
    after: Position | None
    limit: int


class CandlesQuery(NamedTuple):
    """Which candles?  *step* is in seconds."""

    symbol: Symbol
    interval: str
    limit: int

    @property
    def step(self) -> int:
        """The candles' length in seconds."""
        return INTERVALS[self.interval]


class Parameters:
    """The parameters of one request; each method raises `Problem` where a value is not allowed."""

    def __init__(self, pairs: Pairs, known: Sequence[str]) -> None:
        names = (*known, *EVERYWHERE)
        self._values: dict[str, str] = {}
        for name, value in pairs:
            if name not in names:
                said = f"There is no parameter {name[:_QUOTED]!r} here."
                raise Problem(BAD_PARAMETER, said, parameter=name[:_QUOTED], allowed=names)
            if name in self._values and name != "_":
                raise Problem(BAD_PARAMETER, f"{name} stands there twice.", parameter=name, allowed="once")
            self._values[name] = value

    @property
    def asked(self) -> dict[str, str]:
        """What was asked, for the way to the next page: a ticket holds once, and `_` means nothing."""
        return {name: value for name, value in self._values.items() if name not in ("ticket", "_")}

    @property
    def form(self) -> Form | None:
        """The form that is asked for; None: the `Accept` header says it."""
        text = self._values.get("format")
        return None if text is None else Form(self._choice("format", text, tuple(Form)))

    def whole(self, name: str, default: int, most: int) -> int:
        """Return a number from 1 to *most*."""
        text = self._values.get(name)
        if text is None:
            return default
        if _WHOLE(text) is None or not 1 <= int(text) <= most:
            said = f"{name} is a whole number from 1 to {most:,}, not {text[:_QUOTED]!r}."
            raise Problem(BAD_PARAMETER, said, parameter=name, allowed=f"1 to {most}")
        return int(text)

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        """Return one of *allowed*."""
        text = self._values.get(name)
        return default if text is None else self._choice(name, text, allowed)

    def text(self, name: str) -> str:
        """Return a text of at most `SEARCHED` characters; empty: there is none."""
        text = self._values.get(name, "")
        if len(text) > SEARCHED:
            said = f"{name} has {len(text)} characters, but may have {SEARCHED}."
            raise Problem(BAD_PARAMETER, said, parameter=name, allowed=f"at most {SEARCHED} characters")
        return text

    def symbol(self, name: str) -> Symbol | None:
        """Return a symbol, which need not exist."""
        text = self._values.get(name)
        return None if text is None else read_symbol(name, text)

    def symbols(self, name: str, most: int) -> tuple[Symbol, ...]:
        """Return at least one symbol, each once, in the order in which they stand."""
        text = self._values.get(name)
        if not text:
            said = f"{name} names what is wanted: {name}=AAPL,MSFT."
            raise Problem(MISSING_PARAMETER, said, parameter=name, allowed=f"1 to {most} symbols, a comma between")
        entries = tuple(dict.fromkeys(text.split(",", most + 1)))
        if len(entries) > most:
            raise too_many(most, name)
        return tuple(read_symbol(name, entry) for entry in entries)

    def position(self, name: str) -> Position | None:
        """Return a position written as `<epoch>-<seq>`."""
        text = self._values.get(name)
        if text is None:
            return None
        found = _POSITION(text)
        if found is None:
            said = f"{name} is a position as `next` of an earlier answer states it, not {text[:_QUOTED]!r}."
            raise Problem(BAD_PARAMETER, said, parameter=name, allowed="<epoch>-<seq>, such as 1795000000000-1041")
        return Position(int(found[1]), int(found[2]))

    @staticmethod
    def _choice(name: str, text: str, allowed: Sequence[str]) -> str:
        if text not in allowed:
            said = f"{name} is {' or '.join(allowed)}, not {text[:_QUOTED]!r}."
            raise Problem(BAD_PARAMETER, said, parameter=name, allowed=allowed)
        return text


def read_symbol(name: str, text: str) -> Symbol:
    """Return the symbol that *text*, the value of *name*, spells.

    Raises:
        Problem: it spells none.
    """
    try:
        return parse_symbol(text)
    except BadSymbol:
        said = f"{name} has {text[:_QUOTED]!r}, but a symbol is 1 to 16 of A-Z, 0-9, dot and hyphen."
        raise Problem(BAD_PARAMETER, said, parameter=name, allowed=PATTERN) from None


def too_many(most: int, name: str = "symbols") -> Problem:
    """Return what is said where *name* has more than *most* symbols."""
    said = f"{name} may name {most} symbols in one request."
    return Problem(TOO_MANY_SYMBOLS, said, parameter=name, allowed=f"at most {most} symbols")


SYMBOLS_PARAMETERS: Final = ("prefix", "q", "limit", "after")
QUOTES_PARAMETERS: Final = ("symbols",)
TICKS_PARAMETERS: Final = ("after", "limit")
CANDLES_PARAMETERS: Final = ("interval", "limit")


def symbols_query(parameters: Parameters) -> SymbolsQuery:
    """Return what a request for the directory asks."""
    return SymbolsQuery(
        parameters.text("prefix").upper(),
        parameters.text("q"),
        parameters.symbol("after"),
        parameters.whole("limit", LISTED, MOST_LISTED),
    )


def quotes_query(parameters: Parameters) -> QuotesQuery:
    """Return what a request for quotes asks."""
    return QuotesQuery(parameters.symbols("symbols", MOST_QUOTED))


def ticks_query(symbol: str, parameters: Parameters) -> TicksQuery:
    """Return what a request for ticks asks; *symbol* is from its path."""
    return TicksQuery(
        read_symbol("symbol", symbol),
        parameters.position("after"),
        parameters.whole("limit", TICKS, MOST_TICKS),
    )


def candles_query(symbol: str, parameters: Parameters) -> CandlesQuery:
    """Return what a request for candles asks; *symbol* is from its path."""
    return CandlesQuery(
        read_symbol("symbol", symbol),
        parameters.choice("interval", "1m", tuple(INTERVALS)),
        parameters.whole("limit", CANDLES, MOST_CANDLES),
    )
