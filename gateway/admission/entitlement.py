"""What somebody may do: the claims of a token, a key or a ticket, checked.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.errors import BadInput
from services.market.symbol import Symbol

MOST_PATTERNS: Final = 64
"""Most entries of `symbols` with a `*` at their end: each is compared with each symbol asked for."""
MOST_SYMBOLS: Final = 10_000
"""Most entries of `symbols` in all."""
SUBJECT_CHARACTERS: Final = 256
"""Longest `sub` and `jti`: both are kept in memory, logged and matched with revocations."""

_ENTRY: Final = re.compile(r"\*|[A-Z0-9][A-Z0-9.\-]{0,15}|[A-Z0-9][A-Z0-9.\-]{0,14}\*")


class BadClaims(BadInput):
    """A claim has a shape that no issuer of ours would write; the sentence names claim and what it may be."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What one client may do, until when, and as whom."""

    subject: str | None = None
    """Who; None: nobody said."""
    token_id: str | None = None
    """The token's own name (`jti`), for its revocation."""
    issued: float | None = None
    """When it was issued, seconds since 1970: revocations of a subject hold for what was issued before them."""
    expires: float | None = None
    """Until when it holds, seconds since 1970; None: for ever."""
    names: frozenset[Symbol] = frozenset()
    """Symbols that may be followed."""
    prefixes: tuple[str, ...] = ()
    """Beginnings of such symbols; the empty one is all of them."""
    max_symbols: int | None = None
    """Symbols at once on one connection; None: what the gateway allows."""
    max_rate: float | None = None
    """Most ticks per second and symbol; None: no limit."""
    max_connections: int | None = None
    """Connections at once of the subject; None: what the gateway allows."""
    delayed: bool = False
    """Only delayed data may be had."""

    def allows(self, symbol: Symbol) -> bool:
        """Whether *symbol* may be followed."""
        return symbol in self.names or symbol.startswith(self.prefixes)

    @property
    def everything(self) -> bool:
        """Whether every symbol may be followed."""
        return "" in self.prefixes


ANYBODY: Final = Entitlement(prefixes=("",))
"""Of a gateway that asks for no token."""


def parse_entitlement(claims: Mapping[str, Any]) -> Entitlement:
    """Return what *claims* (a token's payload, its times checked by whoever verified it) entitle to.

    `symbols` is a list of exact names, of prefixes with a `*` at the end, or `*` alone; without it nothing may be
    followed.  `max_symbols`, `max_connections`: whole numbers from 1; `max_rate`: a number from 0.1 to 100;
    `delayed`: true or false.  Other claims are ignored.

    Raises:
        BadClaims: a claim has another shape.
    """
    entries = claims.get("symbols", [])
    if not isinstance(entries, list) or len(entries) > MOST_SYMBOLS or not all(map(_is_entry, entries)):
        raise BadClaims("symbols is a list of at most 10,000 names, prefixes that end with *, or * itself")
    prefixes = tuple(dict.fromkeys(entry[:-1] for entry in entries if entry.endswith("*")))
    if len(prefixes) > MOST_PATTERNS:
        raise BadClaims(f"symbols has {len(prefixes)} entries that end with *, but may have {MOST_PATTERNS}")
    delayed = claims.get("delayed", False)
    if not isinstance(delayed, bool):
        raise BadClaims("delayed is true or false")
    return Entitlement(
        subject=_text(claims, "sub"),
        token_id=_text(claims, "jti"),
        issued=_time(claims, "iat"),
        expires=_time(claims, "exp"),
        names=frozenset(Symbol(entry) for entry in entries if not entry.endswith("*")),
        prefixes=prefixes,
        max_symbols=_count(claims, "max_symbols"),
        max_rate=_rate(claims),
        max_connections=_count(claims, "max_connections"),
        delayed=delayed,
    )


def _is_entry(value: object) -> bool:
    return isinstance(value, str) and _ENTRY.fullmatch(value) is not None


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= SUBJECT_CHARACTERS:
        raise BadClaims(f"{name} is a text of 1 to {SUBJECT_CHARACTERS} characters")
    return value


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise BadClaims(f"{name} is a number of seconds since 1970")
    return float(value)


def _count(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise BadClaims(f"{name} is a whole number from 1")
    return value


def _rate(claims: Mapping[str, Any]) -> float | None:
    value = claims.get("max_rate")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST_RATE <= value <= _MOST_RATE:
        raise BadClaims(f"max_rate is a number from {_LEAST_RATE} to {_MOST_RATE}")
    return float(value)


_LATEST: Final = 2.0**40
_LEAST_RATE: Final = 0.1
_MOST_RATE: Final = 100.0
