"""Every way in which a newcomer is turned away, as values in one table.  Pure.

An HTTP client gets *status* and, where coming back makes sense, `Retry-After`; one that offered `tickwire.v1`
is upgraded and then closed with *close*, because a browser cannot see an HTTP status.  `docs/security.md` shows
this table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from gateway import closing
from gateway.closing import Close


class Handshake(StrEnum):
    """How an attempt to connect ended."""

    OK = "ok"
    BAD = "bad"
    OVERLOADED = "overloaded"
    DRAINING = "draining"
    TOO_FAST = "too_fast"
    """More handshakes per second than one address may make."""
    ADDRESS_FULL = "address_full"
    """As many connections as one address may have."""
    SUBJECT_FULL = "subject_full"
    """As many connections as one subject may have."""
    ORIGIN = "origin"
    """A page of somebody else's."""
    NO_TOKEN = "no_token"  # noqa: S105 - the name of an outcome, not a secret
    """None came, or none in time."""
    REFUSED = "refused"
    """The token lets nobody in; `tickwire_tokens_refused_total` says why."""
    EXPIRED = "expired"
    """The token held once."""
    UNKNOWABLE = "unknowable"
    """The keys, or the broker that tickets need, could not be reached."""


class Refusal(NamedTuple):
    """Why somebody may not come in now."""

    handshake: Handshake
    status: int
    close: Close
    retry_after_s: int | None
    text: str


BUSY_S: Final = 5
"""Seconds after which whoever is turned away for want of room is told to try again."""

FULL: Final = Refusal(Handshake.OVERLOADED, 503, closing.OVERLOADED, BUSY_S, "this gateway is full")
DRAINING: Final = Refusal(Handshake.DRAINING, 503, closing.RESTART, 1, "this gateway is about to end")
TOO_FAST: Final = Refusal(Handshake.TOO_FAST, 429, closing.OVERLOADED, 1, "too many handshakes from this address")
ADDRESS_FULL: Final = Refusal(
    Handshake.ADDRESS_FULL, 429, closing.OVERLOADED, BUSY_S, "too many connections from this address"
)
SUBJECT_FULL: Final = Refusal(
    Handshake.SUBJECT_FULL, 429, closing.OVERLOADED, BUSY_S, "too many connections with tokens of this subject"
)
ORIGIN: Final = Refusal(Handshake.ORIGIN, 403, closing.FORBIDDEN, None, "pages of this origin may not connect")
NO_TOKEN: Final = Refusal(Handshake.NO_TOKEN, 401, closing.TOKEN_REFUSED, None, "a token is needed")
REFUSED: Final = Refusal(Handshake.REFUSED, 401, closing.TOKEN_REFUSED, None, "the token is refused")
EXPIRED: Final = Refusal(Handshake.EXPIRED, 401, closing.TOKEN_EXPIRED, None, "the token has expired")
UNKNOWABLE: Final = Refusal(
    Handshake.UNKNOWABLE, 503, closing.OVERLOADED, BUSY_S, "tokens cannot be checked at the moment"
)

TABLE: Final = (
    FULL,
    DRAINING,
    TOO_FAST,
    ADDRESS_FULL,
    SUBJECT_FULL,
    ORIGIN,
    NO_TOKEN,
    REFUSED,
    EXPIRED,
    UNKNOWABLE,
)
