"""What can be wrong with a command: the closed list of error codes of the native wire.  Pure."""

from __future__ import annotations

from enum import StrEnum

from services.errors import BadInput


class ErrorCode(StrEnum):
    """The `code` of an `error` frame; the connection stays open after each of them."""

    BINARY_FRAME = "binary_frame"
    """A binary frame came; commands are text."""
    NOT_JSON = "not_json"
    """The text is not JSON."""
    NOT_AN_OBJECT = "not_an_object"
    """The JSON is not an object."""
    MISSING_FIELD = "missing_field"
    """A field that the command needs is not there."""
    UNKNOWN_OP = "unknown_op"
    """`op` is none of the commands."""
    BAD_ID = "bad_id"
    """`id` is not an integer from 1 to 2^53 - 1."""
    BAD_SYMBOLS = "bad_symbols"
    """`symbols` is not a list of at least one name."""
    BAD_SYMBOL = "bad_symbol"
    """A name in `symbols` is not a string, or not spelled like a symbol."""
    TOO_MANY_SYMBOLS = "too_many_symbols"
    """`symbols` names more than one client may follow."""
    BAD_MAX_RATE = "bad_max_rate"
    """`max_rate` is not a number from 0.1 to 100."""
    BAD_SNAPSHOT = "bad_snapshot"
    """`snapshot` is neither true nor false."""
    BAD_RESUME = "bad_resume"
    """A part of `resume` cannot be used; its symbols were subscribed without it."""
    BAD_CANDLES = "bad_candles"
    """`candles` is none of the intervals, or `symbols` is `*` with it."""
    BAD_HISTORY = "bad_history"
    """`history` is not an integer from 0 to 500."""
    BAD_TOKEN = "bad_token"  # noqa: S105 - the name of a fault, not a secret
    """`token` is not a string."""
    AUTH_NOT_REQUIRED = "auth_not_required"
    """This gateway asks nobody for a token."""
    AUTH_REQUIRED = "auth_required"
    """Before its first token a client may say `auth` and `ping` only."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - the name of a fault, not a secret
    """The token lets nobody in, or somebody else; the one before stays in force."""


class CommandFault(BadInput):
    """A command that is not obeyed, or not in full.

    Attributes:
        code: which of the closed list.
        id: the command's id, where it had a usable one.
    """

    def __init__(self, code: ErrorCode, command_id: int | None, message: str) -> None:
        super().__init__(message)
        self.code, self.id = code, command_id
