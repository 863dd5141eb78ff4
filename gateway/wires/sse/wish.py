"""What a request for a stream asks for, read from its URL and headers.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.commands import Subscribe
from gateway.wires.native.parse import LEAST_RATE, MOST_RATE
from gateway.wires.problem import BAD_PARAMETER, MISSING_PARAMETER, TOO_MANY_SYMBOLS, Problem
from gateway.wires.sse import eventid
from gateway.wires.sse.eventid import Positions
from services.errors import BadSymbol
from services.market.symbol import PATTERN, Symbol, parse_symbol

STREAM_SYMBOLS: Final = 500
"""Most symbols of one stream: their place in an event id takes 2.7 KB, and headers may have 8."""

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_QUOTED: Final = 40
"""Most characters of the client's own text that a fault repeats."""
_RATES: Final = f"a number from {LEAST_RATE:g} to {MOST_RATE:g}"


@dataclass(frozen=True, slots=True)
class Wish:
    """A stream that somebody wants.  *symbols* are distinct and sorted; *positions* are where to go on."""

    symbols: tuple[Symbol, ...]
    max_rate: float | None
    """Ticks per second and symbol; None: every tick."""
    snapshot: bool
    positions: Positions

    def command(self, command_id: int) -> Subscribe:
        """Return what the feed is asked for."""
        return Subscribe(command_id, self.symbols, self.max_rate, self.snapshot, self.positions)


def read(query: Sequence[tuple[str, str]], last_event_id: str | None, *, most: int) -> Wish:
    """Return what *query*, the parameters in their order, and the header `Last-Event-ID` ask for.

    Parameters that are none of ours are ignored, as unknown fields are on the native wire.  The header is stronger
    than the parameter `last_event_id`: a browser that comes back sends it, and repeats the URL as it was.  *most*:
    symbols that a stream may follow here.

    Raises:
        Problem: a parameter is missing or not allowed.
    """
    symbols = _symbols([value for name, value in query if name == "symbols"], most)
    values = dict(query)
    text = last_event_id or values.get("last_event_id") or ""
    return Wish(
        symbols,
        _max_rate(values.get("max_rate")),
        _snapshot(values.get("snapshot")),
        eventid.decode(text, symbols) or {},
    )


def too_many(count: int, most: int) -> Problem:
    """Return what is said of *count* symbols, where *most* may be followed."""
    detail = f"symbols names {count} symbols, but a stream may follow {most}."
    return Problem(
        TOO_MANY_SYMBOLS, detail, parameter="symbols", allowed=f"1 to {most} names, with commas between"
    )


def _symbols(values: Sequence[str], most: int) -> tuple[Symbol, ...]:
    allowed = f"1 to {most} names that match {PATTERN}, with commas between"
    names = {name for value in values for part in value.split(",") if (name := part.strip())}
    if not names:
        detail = "symbols is missing: it names what to follow, as in symbols=AAPL,MSFT."
        raise Problem(MISSING_PARAMETER, detail, parameter="symbols", allowed=allowed)
    if len(names) > most:
        raise too_many(len(names), most)
    try:
        return tuple(sorted(map(parse_symbol, names)))
    except BadSymbol as error:
        raise Problem(BAD_PARAMETER, f"symbols: {error}.", parameter="symbols", allowed=allowed) from None


def _max_rate(text: str | None) -> float | None:
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise _bad("max_rate", text, _RATES)
    return rate


def _snapshot(text: str | None) -> bool:
    found = _BOOLEANS.get((text or "true").lower())
    if found is None:
        raise _bad("snapshot", text or "", "true or false")
    return found


def _bad(name: str, text: str, allowed: str) -> Problem:
    quoted = text if len(text) <= _QUOTED else text[:_QUOTED] + "…"
    return Problem(BAD_PARAMETER, f"{name} is {quoted!r}, but must be {allowed}.", parameter=name, allowed=allowed)
