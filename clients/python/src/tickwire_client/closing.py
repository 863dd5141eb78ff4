"""Which endings make coming back pointless: the protocol's table of close codes, and HTTP's statuses.  Pure."""

from __future__ import annotations

from typing import Final

FIX_FIRST: Final = frozenset({1002, 1003, 1007, 1008, 1009, 1010, *range(4500, 5000)})
"""Close codes upon which coming back with the same behaviour is refused again."""
_CLIENT_ERRORS: Final = range(400, 500)
_TRY_LATER: Final = frozenset({408, 429})


def final_code(code: int | None) -> bool:
    """Whether a close code says: fix this first."""
    return code in FIX_FIRST


def final_status(status: int) -> bool:
    """Whether an HTTP status in place of a WebSocket says: not here, or not you."""
    return status < _CLIENT_ERRORS.start or (status in _CLIENT_ERRORS and status not in _TRY_LATER)
