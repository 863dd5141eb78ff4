"""Why a connection of the canary ended, or none came about.  Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from tickwire_client.closing import Ending
from tickwire_client.errors import NotTrusted, Refused, TokenRefused


class Reason(StrEnum):
    """The closed list of the metric."""

    RESTART = "restart"
    """Close 1012: the gateway ended, or the connection had had its time."""
    OVERLOADED = "overloaded"
    """Close 1013, or HTTP 408, 429 or 5xx: later."""
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a word, not a token
    """Close 4401: another token is let in."""
    TOO_MANY_COMMANDS = "too_many_commands"
    """Close 4429."""
    CLOSED = "closed"
    """Another close code."""
    GONE = "gone"
    """No close frame, or an end during the handshake."""
    SILENT = "silent"
    """Not one frame for 40 s."""
    TIMED_OUT = "timed_out"
    """No WebSocket within 10 s."""
    UNREACHABLE = "unreachable"
    """No such address, or nobody listens there."""
    NO_TOKEN = "no_token"  # noqa: S105 - a word, not a token
    """The file with the token could not be read."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a word, not a token
    """There is no token, or it lets nobody in."""
    TLS = "tls"
    """The certificate is not trusted, of another name, or out of date."""
    REFUSED = "refused"
    """Another answer that asking again would not change, such as HTTP 404, or no frames of the protocol."""

    @property
    def final(self) -> bool:
        """Whether somebody has to do something before the next attempt can succeed."""
        return self in _FINAL


_FINAL: Final = frozenset(
    {Reason.NO_TOKEN, Reason.TOKEN_EXPIRED, Reason.TOKEN_REFUSED, Reason.TLS, Reason.REFUSED}
)
_CODES: Final = {
    1012: Reason.RESTART,
    1013: Reason.OVERLOADED,
    4401: Reason.TOKEN_EXPIRED,
    4429: Reason.TOO_MANY_COMMANDS,
}
_ENDINGS: Final = {
    Ending.GONE: Reason.GONE,
    Ending.SILENT: Reason.SILENT,
    Ending.TIMED_OUT: Reason.TIMED_OUT,
    Ending.BUSY: Reason.OVERLOADED,
    Ending.UNREACHABLE: Reason.UNREACHABLE,
    Ending.NO_TOKEN: Reason.NO_TOKEN,
    Ending.REFUSED: Reason.REFUSED,
}


def of_ending(how: Ending | None, code: int | None) -> Reason:
    """Return the reason for what the client tries again by itself."""
    if how is None or how is Ending.CLOSED:
        return _CODES.get(code or 0, Reason.CLOSED)
    return _ENDINGS[how]


def of_refusal(error: Refused) -> Reason:
    """Return the reason for what the client does not try again."""
    match error:
        case TokenRefused():
            return Reason.TOKEN_REFUSED
        case NotTrusted():
            return Reason.TLS
    return Reason.REFUSED
