"""Every error of the HTTP wires, as values in one table, and its JSON of RFC 9457 (problem details).  Pure.

*code* is for programs: a closed list, and the same words as on the native wire where the meaning is the same.
*detail* is one sentence for people; *parameter* and *allowed* say what was wrong and what would be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from gateway.admission.refusal import Handshake, Refusal

CONTENT_TYPE: Final = "application/problem+json"
BUSY_S: Final = 1
"""Seconds after which a client is told to ask again where history or the directory is not there: history absent is
noticed and tried again about once a second."""
_DOCS: Final = "/docs#"
"""Where a problem's type is explained, on this very server."""


class Kind(NamedTuple):
    """One row of the table."""

    code: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The problem's type: a reference to its row in the documents of this server."""
        return f"{_DOCS}{self.code}"


BAD_PARAMETER: Final = Kind("bad_parameter", 400, "A parameter has a value that is not allowed")
MISSING_PARAMETER: Final = Kind("missing_parameter", 400, "A parameter is missing")
TOO_MANY_SYMBOLS: Final = Kind("too_many_symbols", 400, "Too many symbols")
TOKEN_IN_URL: Final = Kind("token_in_url", 400, "A token stands in the URL")
NO_TOKEN: Final = Kind("no_token", 401, "A token is needed")
TOKEN_REFUSED: Final = Kind("token_refused", 401, "The token is refused")
TOKEN_EXPIRED: Final = Kind("token_expired", 401, "The token has expired")
NOT_ENTITLED: Final = Kind("not_entitled", 403, "The token does not name this symbol")
DELAYED_UNAVAILABLE: Final = Kind("delayed_unavailable", 403, "The token is for delayed data, and there is none")
ORIGIN: Final = Kind("origin", 403, "Pages of this origin may not ask")
UNKNOWN_SYMBOL: Final = Kind("unknown_symbol", 404, "There is no such symbol")
NOT_FOUND: Final = Kind("not_found", 404, "There is no such resource")
METHOD: Final = Kind("method_not_allowed", 405, "This resource does not know the method")
TICKET_TOO_LONG: Final = Kind("ticket_too_long", 413, "No ticket has room for what the token says")
TOO_FAST: Final = Kind("too_fast", 429, "Too many requests")
CROWDED: Final = Kind("crowded", 429, "Too many connections")
HISTORY_UNAVAILABLE: Final = Kind("history_unavailable", 503, "History does not answer")
FEED_UNAVAILABLE: Final = Kind("feed_unavailable", 503, "The directory of symbols is not here yet")
BUSY: Final = Kind("busy", 503, "This gateway takes no requests at the moment")

TABLE: Final = (
    BAD_PARAMETER,
    MISSING_PARAMETER,
    TOO_MANY_SYMBOLS,
    TOKEN_IN_URL,
    NO_TOKEN,
    TOKEN_REFUSED,
    TOKEN_EXPIRED,
    NOT_ENTITLED,
    DELAYED_UNAVAILABLE,
    ORIGIN,
    UNKNOWN_SYMBOL,
    NOT_FOUND,
    METHOD,
    TICKET_TOO_LONG,
    TOO_FAST,
    CROWDED,
    HISTORY_UNAVAILABLE,
    FEED_UNAVAILABLE,
    BUSY,
)

_REFUSALS: Final = {
    Handshake.OVERLOADED: BUSY,
    Handshake.DRAINING: BUSY,
    Handshake.TOO_FAST: TOO_FAST,
    Handshake.ADDRESS_FULL: CROWDED,
    Handshake.SUBJECT_FULL: CROWDED,
    Handshake.ORIGIN: ORIGIN,
    Handshake.NO_TOKEN: NO_TOKEN,
    Handshake.REFUSED: TOKEN_REFUSED,
    Handshake.EXPIRED: TOKEN_EXPIRED,
    Handshake.UNKNOWABLE: BUSY,
}


@dataclass(eq=False)
class Problem(Exception):
    """One error as a client gets it.  Parsers may raise it; a wire answers `status`, `headers` and `body`."""

    kind: Kind
    detail: str
    parameter: str | None = None
    allowed: Sequence[str | int] | str | None = None
    """The values that are allowed, or a sentence or pattern that says so."""
    symbols: Sequence[str] = ()
    """The symbols that are unknown or not entitled."""
    retry_after_s: int | None = None
    methods: Sequence[str] = ()
    """For 405: what the resource does know."""

    def __str__(self) -> str:
        return self.detail

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.kind.status

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer: never stored, and what its status asks for."""
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.kind.status == _UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"  # RFC 6750 section 3
        if self.methods:
            headers["Allow"] = ", ".join(self.methods)
        return headers

    def body(self) -> bytes:
        """Return the JSON of the answer; nothing in it is secret as long as *detail* is not."""
        kind = self.kind
        fields: dict[str, object] = {
            "type": kind.type,
            "title": kind.title,
            "status": kind.status,
            "code": kind.code,
            "detail": self.detail,
        }
        more = {
            "parameter": self.parameter,
            "allowed": self.allowed,
            "symbols": self.symbols or None,
            "retry_after_s": self.retry_after_s,
        }
        fields.update({name: value for name, value in more.items() if value is not None})
        return orjson.dumps(fields) + b"\n"


def check_method(method: str, methods: Sequence[str]) -> None:
    """Let *method* through if it is one of *methods*.

    Raises:
        Problem: 405.
    """
    if method not in methods:
        raise Problem(METHOD, f"{method[:16]} is not known here.", allowed=methods, methods=methods)


def refused(refusal: Refusal) -> Problem:
    """Return *refusal* of the admission as a problem."""
    kind = _REFUSALS[refusal.handshake]
    return Problem(kind, f"{refusal.text[0].upper()}{refusal.text[1:]}.", retry_after_s=refusal.retry_after_s)


_UNAUTHORIZED: Final = 401
