"""Every error that the client raises on purpose.

TickwireClientError
 ├─ Refused           coming back with the same request would be refused again: nothing is retried
 │   ├─ TokenRefused      there is no token, or it lets nobody in
 │   ├─ NotTrusted        TLS failed: the certificate is not trusted, of another name, or out of date
 │   └─ BadAddress        no address of a stream
 ├─ Unreachable       no connection stood before the patience of `connect` was over
 ├─ FeedClosed        the feed was closed by its owner
 ├─ NoTick            none came within the `timeout` of a synchronous subscription (a `TimeoutError`)
 ├─ WrongUse          a call that can never work here: the sentence says what does
 ├─ MissingExtra      a package that is not installed (an `ImportError`)
 └─ NotFollowed       a subscription that the gateway will not serve
     ├─ UnknownSymbol     a symbol that is not in the directory
     ├─ NotEntitled       a symbol that the token does not allow
     └─ TooManySymbols    more symbols than one connection may follow
BadRequest            arguments that no gateway would accept (a `ValueError`)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

NOT_ENTITLED: Final = frozenset({"not_entitled", "delayed_unavailable"})
"""Reasons that only another token would change."""


class TickwireClientError(Exception):
    """Root of the tree."""


class Refused(TickwireClientError):
    """The gateway will not serve this client, and asking again the same way would not help.

    Attributes:
        code: the close code, where the gateway closed with one.
        status: the HTTP status, where it answered with one instead of a WebSocket.
    """

    def __init__(self, sentence: str, *, code: int | None = None, status: int | None = None) -> None:
        super().__init__(sentence)
        self.code, self.status = code, status


class TokenRefused(Refused):
    """The gateway asks for a token and has none, or the token lets nobody in; the sentence never repeats it."""


class NotTrusted(Refused):
    """TLS failed: the certificate is not trusted, of another name, or out of date; or nobody speaks TLS there."""


class BadAddress(Refused):
    """This is no address of a stream; the sentence shows one."""


class Unreachable(TickwireClientError):
    """No gateway could be reached in time; it may be there later."""


class FeedClosed(TickwireClientError):
    """The feed was closed."""


class NoTick(TickwireClientError, TimeoutError):
    """No tick came in time; asking for the next one goes on where this was."""


class WrongUse(TickwireClientError):
    """A call that can never work in this place, such as one subscription read by two threads at once."""


class MissingExtra(TickwireClientError, ImportError):
    """A package that only an extra installs; the sentence has the command."""


class NotFollowed(TickwireClientError):
    """The gateway will not serve *symbols*; raised by each subscription that names one of them.

    Attributes:
        reason: the protocol's word for it.
    """

    def __init__(self, symbols: Sequence[str], reason: str) -> None:
        super().__init__(", ".join(f"{symbol}: {reason.replace('_', ' ')}" for symbol in symbols))
        self.symbols, self.reason = tuple(symbols), reason


class UnknownSymbol(NotFollowed):
    """Symbols that are not in the directory."""


class NotEntitled(NotFollowed):
    """Symbols that the token does not allow, or allows only delayed."""


class TooManySymbols(NotFollowed):
    """Symbols beyond what one connection may follow."""


class BadRequest(ValueError):
    """Arguments that no gateway would accept: the sentence names what is wrong and allowed."""


def not_followed(symbols: Sequence[str], reason: str) -> NotFollowed:
    """Return the error for the protocol's *reason*."""
    kinds = {"unknown_symbol": UnknownSymbol, "too_many_symbols": TooManySymbols}
    kind = NotEntitled if reason in NOT_ENTITLED else kinds.get(reason, NotFollowed)
    return kind(symbols, reason)
