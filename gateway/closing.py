"""Every way in which the gateway ends a connection, as values in one table.  Pure.

A mistake that the client can go on from is an `error` frame, never a close.  Metric labels, log fields and
`docs/protocol.md` are made from this table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Close(NamedTuple):
    """One way to end: the code and the words of the close frame, and whether coming back makes sense."""

    code: int
    reason: str
    reconnect: bool


class Side(StrEnum):
    """Who ended a connection: a metric label."""

    SERVER = "server"
    CLIENT = "client"


RESTART: Final = Close(1012, "restart", reconnect=True)
OVERLOADED: Final = Close(1013, "overloaded", reconnect=True)
TOKEN_EXPIRED: Final = Close(4401, "token expired", reconnect=True)
TOO_SLOW: Final = Close(4408, "too slow", reconnect=True)
TOO_MANY_COMMANDS: Final = Close(4429, "too many commands", reconnect=True)
POLICY: Final = Close(1008, "policy", reconnect=False)
TOO_BIG: Final = Close(1009, "too big", reconnect=False)
TOKEN_REFUSED: Final = Close(4501, "token refused", reconnect=False)
FORBIDDEN: Final = Close(4503, "forbidden", reconnect=False)

TABLE: Final = (
    RESTART,
    OVERLOADED,
    TOKEN_EXPIRED,
    TOO_SLOW,
    TOO_MANY_COMMANDS,
    POLICY,
    TOO_BIG,
    TOKEN_REFUSED,
    FORBIDDEN,
)
"""What the gateway itself decides to say."""

NORMAL: Final = Close(1000, "normal", reconnect=True)
GOING_AWAY: Final = Close(1001, "going away", reconnect=True)
PROTOCOL_ERROR: Final = Close(1002, "protocol error", reconnect=False)
NO_CODE: Final = Close(1005, "no code", reconnect=True)
GONE: Final = Close(1006, "gone", reconnect=True)
BAD_UTF8: Final = Close(1007, "bad UTF-8", reconnect=False)
INTERNAL: Final = Close(1011, "internal error", reconnect=True)
OTHER: Final = Close(0, "other", reconnect=True)

SEEN: Final = (NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_CODE, GONE, BAD_UTF8, INTERNAL, OTHER)
"""What RFC 6455 section 7.4.1 adds: said by clients, by the WebSocket layer, or by nobody (1005, 1006)."""

_BY_CODE: Final = {close.code: close for close in (*TABLE, *SEEN)}
_SILENT: Final = frozenset({NO_CODE.code, GONE.code, OTHER.code})


def by_code(code: int | None) -> Close:
    """Return the entry for *code*; `GONE` for None, `OTHER` for a code of the client's own."""
    return GONE if code is None else _BY_CODE.get(code, OTHER)


def label(close: Close) -> str:
    """Return the value of the metric label `code`: the number, or `other`."""
    return str(close.code) if close.code else "other"


def sendable(close: Close) -> bool:
    """Whether RFC 6455 section 7.4.1 lets the code stand in a close frame."""
    return close.code not in _SILENT
