"""The closed lists of the native wire with the meaning of each value, and its close codes.  Pure.

The values are the code's own.  `docs/protocol.md` has the same sentences: a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from gateway.closing import (
    BAD_UTF8,
    FORBIDDEN,
    GOING_AWAY,
    GONE,
    INTERNAL,
    NO_CODE,
    NORMAL,
    OTHER,
    OVERLOADED,
    POLICY,
    PROTOCOL_ERROR,
    RESTART,
    SEEN,
    TABLE,
    TOKEN_EXPIRED,
    TOKEN_REFUSED,
    TOO_BIG,
    TOO_MANY_COMMANDS,
    TOO_SLOW,
    Close,
)
from gateway.frames import GapReason, NoSnapshot, Rejection
from gateway.wires.native.faults import ErrorCode

ERROR_CODES: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.BINARY_FRAME: "a binary frame came; commands are text",
    ErrorCode.NOT_JSON: "the text is not JSON",
    ErrorCode.NOT_AN_OBJECT: "the JSON is not an object",
    ErrorCode.MISSING_FIELD: "`op`, `id`, `symbols` or `token` is not there",
    ErrorCode.UNKNOWN_OP: "`op` is none of the commands",
    ErrorCode.BAD_ID: "`id` is not an integer from 1 to 9007199254740991",
    ErrorCode.BAD_SYMBOLS: "`symbols` is not a list of at least one name",
    ErrorCode.BAD_SYMBOL: "a name is not spelled like a symbol, or `*` does not stand alone",
    ErrorCode.TOO_MANY_SYMBOLS: "more than this connection may follow; nothing of the command is obeyed",
    ErrorCode.BAD_MAX_RATE: "`max_rate` is not a number from 0.1 to 100",
    ErrorCode.BAD_SNAPSHOT: "`snapshot` is neither true nor false",
    ErrorCode.BAD_RESUME: "a part of `resume` cannot be used; its symbols are subscribed without it",
    ErrorCode.BAD_CANDLES: '`candles` is neither `1s` nor `1m`, or `symbols` is `["*"]` with it',
    ErrorCode.BAD_HISTORY: "`history` is not an integer from 0 to 500",
    ErrorCode.BAD_TOKEN: "`token` is not text, or empty",
    ErrorCode.AUTH_NOT_REQUIRED: "this gateway asks nobody for a token",
    ErrorCode.AUTH_REQUIRED: "before its first token a client may say `auth` and `ping` only",
    ErrorCode.TOKEN_REFUSED: "the token lets nobody in, or somebody else; the one before stays in force",
}

REJECTIONS: Final[Mapping[Rejection, str]] = {
    Rejection.UNKNOWN_SYMBOL: "not in the directory",
    Rejection.NOT_ENTITLED: "the token does not name it",
    Rejection.DELAYED_UNAVAILABLE: "the token is for delayed data, which this version does not have",
    Rejection.FEED_UNAVAILABLE: (
        "not bound within 10 s: the broker is away, or no directory has come yet; ask again later"
    ),
    Rejection.CANCELLED: "unsubscribed before it was bound",
}

GAP_REASONS: Final[Mapping[GapReason, str]] = {
    GapReason.LOST: "not in the log: nobody has these ticks",
    GapReason.FORGOTTEN: "the log no longer reaches back so far",
    GapReason.UNAVAILABLE: "nobody could answer in time, or there is no history",
    GapReason.UNKNOWN_POSITION: "the client's position is above everything that was published",
}

NO_SNAPSHOT: Final[Mapping[NoSnapshot, str]] = {
    NoSnapshot.NEVER_TRADED: "no tick of this symbol was ever published",
    NoSnapshot.UNAVAILABLE: "this gateway has none yet and could not ask",
}

CLOSES: Final[Mapping[Close, str]] = {
    RESTART: "the gateway ends, or the connection has had its time",
    OVERLOADED: "as many clients, in all, of this address or of this subject, as may be; "
    "too many handshakes from this address; or nobody can check a token now",
    TOKEN_EXPIRED: "with another token, or ticket",
    TOO_SLOW: "only in logs and metrics: who acknowledges no byte for 10 s reads no close frame, and sees 1006",
    TOO_MANY_COMMANDS: "more commands and pings than `limits` allow",
    POLICY: "not sent by this version",
    TOO_BIG: "a message above 65,536 bytes",
    TOKEN_REFUSED: "no token, none in time, one that lets nobody in, or that was revoked",
    FORBIDDEN: "a page of this `Origin` may not connect",
    NORMAL: "the client's own close, answered",
    GOING_AWAY: "said by clients, such as a browser that leaves the page",
    PROTOCOL_ERROR: "a frame that breaks RFC 6455",
    NO_CODE: "a close frame without a code",
    GONE: "the connection ended without a close frame",
    BAD_UTF8: "a text frame that is not UTF-8",
    INTERNAL: "a defect of the gateway's, which is in its log",
}


def closed_lists() -> dict[str, list[dict[str, str]]]:
    """Return each closed list by its name, with what its values mean."""
    lists: Mapping[str, Mapping[StrEnum, str]] = {
        "error codes": {code: ERROR_CODES[code] for code in ErrorCode},
        "rejections": {value: REJECTIONS[value] for value in Rejection},
        "gap reasons": {value: GAP_REASONS[value] for value in GapReason},
        "no snapshot": {value: NO_SNAPSHOT[value] for value in NoSnapshot},
    }
    return {
        name: [{"value": value.value, "meaning": meaning} for value, meaning in values.items()]
        for name, values in lists.items()
    }


def close_codes() -> list[dict[str, Any]]:
    """Return every code that a client may see: those that the gateway decides to say, then those of RFC 6455."""
    return [_close(close, said=True) for close in TABLE] + [
        _close(close, said=False) for close in SEEN if close is not OTHER
    ]


def _close(close: Close, *, said: bool) -> dict[str, Any]:
    return {
        "code": close.code,
        "reason": close.reason,
        "reconnect": close.reconnect,
        "when": CLOSES[close],
        "said_by_gateway": said,
    }
