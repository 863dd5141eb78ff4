"""Which endings make coming back pointless: the protocol's table of close codes, and HTTP's statuses.  Pure."""

from __future__ import annotations

from typing import Final

FIX_FIRST: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010, *range(4500, 5000)})
"""Close codes upon which coming back with the same behaviour is refused again."""
TOKEN_EXPIRED: Final = 4401
"""Another token is let in, the same one is not."""
TOKEN_REFUSED: Final = frozenset({401, 4501})
"""The HTTP status and the close code that say: no token, or one that lets nobody in."""
_CLIENT_ERRORS: Final = range(400, 500)
_TRY_LATER: Final = frozenset({408, 429})


def final_code(code: int | None) -> bool:
    """Whether a close code says: fix this first."""
    return code in FIX_FIRST


def retry_after(text: str | None) -> float:
    """Return the seconds that a `Retry-After` names; 0 where there is none, or a date."""
    return float(text) if text and text.isascii() and text.isdigit() else 0.0


def final_status(status: int) -> bool:
    """Whether an HTTP status in place of a WebSocket says: not here, or not you."""
    return status < _CLIENT_ERRORS.start or (status in _CLIENT_ERRORS and status not in _TRY_LATER)
