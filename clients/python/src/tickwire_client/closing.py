"""Which endings make coming back pointless: the protocol's table of close codes, and HTTP's statuses.  Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

FIX_FIRST: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010, *range(4500, 5000)})
"""Close codes upon which coming back with the same behaviour is refused again."""
TOKEN_EXPIRED: Final = 4401
"""Another token is let in, the same one is not."""
TOKEN_REFUSED: Final = frozenset({401, 4501})
"""The HTTP status and the close code that say: no token, or one that lets nobody in."""
_CLIENT_ERRORS: Final = range(400, 500)
_TRY_LATER: Final = frozenset({408, 429})


class Ending(StrEnum):
    """How a connection ended, or why none came about."""

    CLOSED = "closed"
    """By the gateway's close frame."""
    GONE = "gone"
    """Without a close frame, or during the handshake."""
    SILENT = "silent"
    """Nothing came for too long, so this side ended it."""
    TIMED_OUT = "timed_out"
    """The handshake took too long."""
    BUSY = "busy"
    """HTTP 408, 429 or 5xx in place of a WebSocket: later."""
    UNREACHABLE = "unreachable"
    """No address, or nobody listens there."""
    NO_TOKEN = "no_token"  # noqa: S105 - a word, not a token
    """The function that should yield the token failed."""
    REFUSED = "refused"
    """This gateway will not serve this client; there are others."""


class Ended(NamedTuple):
    """How, in a sentence for people, and with which close code or HTTP status."""

    how: Ending
    sentence: str
    code: int | None = None


def final_code(code: int | None) -> bool:
    """Whether a close code says: fix this first."""
    return code in FIX_FIRST


def retry_after(text: str | None) -> float:
    """Return the seconds that a `Retry-After` names; 0 where there is none, or a date."""
    return float(text) if text and text.isascii() and text.isdigit() else 0.0


def final_status(status: int) -> bool:
    """Whether an HTTP status in place of a WebSocket says: not here, or not you."""
    return status < _CLIENT_ERRORS.start or (status in _CLIENT_ERRORS and status not in _TRY_LATER)
