"""Whether a request is answered at all, and what of the market it may see.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil
from typing import Final

from gateway.admission.entitlement import Entitlement
from gateway.frames import NoSnapshot
from gateway.wires.http.query import too_many
from gateway.wires.http.quotes import Quote
from gateway.wires.problem import (
    BUSY,
    BUSY_S,
    DELAYED_UNAVAILABLE,
    FEED_UNAVAILABLE,
    HISTORY_UNAVAILABLE,
    NOT_ENTITLED,
    TOKEN_IN_URL,
    TOO_FAST,
    UNKNOWN_SYMBOL,
    Problem,
    check_method,
)
from services.market.directory import Directory, Instrument
from services.market.symbol import Symbol

METHODS: Final = ("GET", "HEAD", "OPTIONS")
"""What every resource here knows."""
UNDER_WAY: Final = 1_000
"""Requests that are answered at once; who comes beyond them is told to come again."""
UNSENT_BYTES: Final = 67_108_864
"""Bytes of answers that clients have not taken yet, of all together; beyond them nobody gets a new one."""
QUESTION_TICKS: Final = 10
"""Ticks of the past that a question to history counts as, like on the native wire."""


def check(method: str, leaked: str | None, under_way: int, unsent: int) -> None:
    """Look at what costs nothing to find out; *leaked*: a parameter that looks like a token.

    Raises:
        Problem: 405, 400 or 503.
    """
    check_method(method, METHODS)
    if leaked is not None:
        said = f"{leaked} stands in the URL, where logs keep it: a token comes in Authorization."
        raise Problem(TOKEN_IN_URL, said, parameter=leaked, allowed="the header Authorization: Bearer <token>")
    if under_way > UNDER_WAY or unsent > UNSENT_BYTES:
        raise Problem(BUSY, "This gateway has too much to answer at the moment.", retry_after_s=BUSY_S)


def keep_pace(wait: float, said: str = "This is more than one client may ask.") -> None:
    """Let a client go on that has to wait for 0 s.

    Raises:
        Problem: 429, with the seconds to wait.
    """
    if wait > 0:
        raise Problem(TOO_FAST, said, retry_after_s=max(1, ceil(wait)))


def client_of(address: str, entitlement: Entitlement) -> str:
    """Return whom ticks of the past are counted for: the subject of a token, else the address."""
    return address if entitlement.subject is None else f"subject {entitlement.subject}"


def instruments(
    symbols: Sequence[Symbol], directory: Directory, entitlement: Entitlement, *, due: bool, parameter: str
) -> list[Instrument]:
    """Return what the directory says of *symbols*; *due*: one that names more is still to come.

    Raises:
        Problem: 403, 404 or 503, which names the symbols that it is about; 400 where a token allows fewer.
    """
    if entitlement.delayed:
        raise Problem(DELAYED_UNAVAILABLE, "The token is for delayed data, which is not to be had here.")
    most = entitlement.max_symbols
    if most is not None and len(symbols) > most:
        raise too_many(most, parameter)
    denied = [symbol for symbol in symbols if not entitlement.allows(symbol)]
    if denied:
        said = f"The token does not name {_listed(denied)}."
        raise Problem(NOT_ENTITLED, said, parameter=parameter, symbols=denied)
    found = [(symbol, directory.get(symbol)) for symbol in symbols]
    unknown = [symbol for symbol, instrument in found if instrument is None]
    if unknown:
        raise _unknown(unknown, due=due, parameter=parameter)
    return [instrument for _, instrument in found if instrument is not None]


def known(directory: Directory) -> None:
    """Look whether there is a directory.

    Raises:
        Problem: 503.
    """
    if not directory.known:
        raise _no_directory()


def every_tick(entitlement: Entitlement) -> None:
    """Look whether a client may have every tick: a token with a rate is for conflated data.

    Raises:
        Problem: 403.
    """
    if entitlement.max_rate is not None:
        said = f"The token is for {entitlement.max_rate:g} ticks per second and symbol, not for each tick."
        raise Problem(NOT_ENTITLED, said)


def some(found: Collection[Quote]) -> None:
    """Look whether there is anything to tell of any symbol.

    Raises:
        Problem: 503.
    """
    if found and all(each.missing is NoSnapshot.UNAVAILABLE for each in found):
        raise no_history()


def no_history() -> Problem:
    """Return what is said where history does not answer."""
    said = "History does not answer, and this gateway does not know it by itself."
    return Problem(HISTORY_UNAVAILABLE, said, retry_after_s=BUSY_S)


def _unknown(symbols: Sequence[Symbol], *, due: bool, parameter: str) -> Problem:
    if due:
        return _no_directory()
    said = f"The directory does not name {_listed(symbols)}; /v1/symbols lists what it names."
    return Problem(UNKNOWN_SYMBOL, said, parameter=parameter, symbols=symbols)


def _no_directory() -> Problem:
    said = "The directory of symbols is still to come; it is sent every 10 s."
    return Problem(FEED_UNAVAILABLE, said, retry_after_s=BUSY_S)


def _listed(symbols: Sequence[Symbol]) -> str:
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")


_NAMED: Final = 5
"""Symbols that a sentence names; `symbols` has them all."""
