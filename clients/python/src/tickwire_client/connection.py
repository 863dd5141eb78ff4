"""One WebSocket: how it is opened, and what its failures mean."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    WebSocketException,
)
from websockets.typing import Subprotocol

from tickwire_client.closing import (
    TOKEN_EXPIRED,
    TOKEN_REFUSED,
    Ended,
    Ending,
    final_code,
    final_status,
    retry_after,
)
from tickwire_client.errors import BadAddress, NotTrusted, Refused, TokenRefused

SUBPROTOCOL: Final = "tickwire.v1"
FRAME_BYTES: Final = 1024 * 1024
"""Most bytes of one frame: the wire's limit is 64 KiB, later versions may raise it."""
FRAMES: Final = 8
"""Most frames that are read ahead, before the socket is left to fill up."""
CLOSE_S: Final = 2.0
"""Longest wait for the answer to our close frame."""
GONE: Final = 1006
"""Stands for: no close frame came."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]+").fullmatch

Token = str | Callable[[], str | Awaitable[str]]


@dataclass(frozen=True)
class Options:
    """How connections are opened."""

    token: Token | None = field(default=None, repr=False)
    trust: ssl.SSLContext | None = None
    handshake_s: float = 10.0
    proxy: str | None = None


class Busy(ConnectionError):
    """The gateway wants nobody for now, by HTTP *status*; *after*: for so many seconds, if it said."""

    def __init__(self, sentence: str, after: float, status: int) -> None:
        super().__init__(sentence)
        self.after, self.status = after, status


class NoToken(ConnectionError):
    """The function that should yield the token failed."""


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """The WebSocket library's log without DEBUG, where headers and frames, and so tokens, would stand."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Whether *level* is written."""
        return level > logging.DEBUG and super().isEnabledFor(level)


class _Connect(connect):
    """Follows no redirect: the token is for the address that was given."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return what the attempt ends with."""
        return exc


async def current(token: Token | None) -> str | None:
    """Return the token as it is now: a function is asked each time.

    Raises:
        TokenRefused: it cannot stand in a header.
        NoToken: the function failed; it may succeed later.
    """
    found = token if token is None or isinstance(token, str) else await _asked(token)
    if found and _TOKEN(found) is None:
        raise TokenRefused("the token has a blank, a line break or a letter beyond ASCII in it")
    return found or None


async def _asked(token: Callable[[], str | Awaitable[str]]) -> str:
    try:
        found = token()
        return await found if isawaitable(found) else found
    except Exception as error:
        raise NoToken(f"no token: {type(error).__name__}: {error}") from error


@asynccontextmanager
async def opened(url: str, options: Options, token: str | None) -> AsyncIterator[ClientConnection]:
    """Be connected to *url*, with *token*, while the context lasts.

    Raises:
        Refused: another attempt would fail the same way.
        OSError, TimeoutError, WebSocketException: it may succeed later.
    """
    secure = options.trust is not None and url.startswith("wss:")
    trust: dict[str, Any] = {"ssl": options.trust} if secure else {}
    try:
        socket = await _Connect(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
            compression=None,
            proxy=options.proxy,
            open_timeout=options.handshake_s,
            ping_interval=None,  # the gateway pings, and answers our own ping commands
            close_timeout=CLOSE_S,
            max_size=FRAME_BYTES,
            max_queue=FRAMES,
            logger=_Discreet(logging.getLogger("websockets.client"), {}) if token else None,
            **trust,
        )
    except ssl.SSLError as error:  # before ValueError, which a certificate that is not trusted raises, too
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            raise
        raise NotTrusted(f"{url}: TLS: {error}") from error
    except (InvalidURI, ValueError) as error:
        raise BadAddress(f"{url!r} is no address of a stream: {error}") from error
    except InvalidHandshake as error:
        raise _not_upgraded(error) from error
    try:
        yield socket
    finally:  # the library's own context would say 1011, an internal error, whenever somebody just leaves
        await socket.close()


def _not_upgraded(error: InvalidHandshake) -> Exception:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        sentence = f"the gateway answered HTTP {status} instead of a WebSocket"
        if not final_status(status):
            return Busy(sentence, retry_after(error.response.headers.get("Retry-After")), status)
        if status in TOKEN_REFUSED:
            return TokenRefused(f"{sentence}: there is no token, or it lets nobody in", status=status)
        return Refused(sentence, status=status)
    if isinstance(error, ProxyError) or (
        isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError | OSError)
    ):
        return ConnectionResetError(f"the connection ended during the handshake: {error}")
    return Refused(f"this is no WebSocket server: {error}")


def ending(error: ConnectionClosed, *, renewable: bool) -> Ended:
    """Return how the connection ended.

    *renewable*: the next connection may have another token.

    Raises:
        Refused: the close code says that coming back is pointless.
    """
    close = error.rcvd
    if close is None:
        # A fault that our side found: a frame that is too big, no UTF-8, or breaks RFC 6455.
        if error.sent is not None and final_code(error.sent.code) and not error.rcvd_then_sent:
            raise Refused(f"the gateway broke the WebSocket protocol: {error.sent}", code=error.sent.code)
        return Ended(Ending.GONE, f"closed with {GONE}")
    sentence = f"closed with {close.code}{': ' if close.reason else ''}{close.reason}"
    if close.code in TOKEN_REFUSED or (close.code == TOKEN_EXPIRED and not renewable):
        raise TokenRefused(f"the gateway {sentence}", code=close.code)
    if final_code(close.code):
        raise Refused(f"the gateway {sentence}", code=close.code)
    return Ended(Ending.CLOSED, sentence, close.code)


def not_made(error: Exception) -> Ended:
    """Return why there is no connection."""
    match error:
        case TimeoutError():
            return Ended(Ending.TIMED_OUT, "timed out")
        case Busy():
            return Ended(Ending.BUSY, str(error), error.status)
        case NoToken():
            return Ended(Ending.NO_TOKEN, str(error))
        case WebSocketException():
            return Ended(Ending.GONE, f"{type(error).__name__}: {error}")
        case ConnectionResetError() | ssl.SSLError():
            return Ended(Ending.GONE, str(error) or type(error).__name__)
    return Ended(Ending.UNREACHABLE, str(error) or type(error).__name__)


def certificate(socket: ClientConnection) -> Mapping[str, Any]:
    """Return the gateway's certificate; empty without TLS, or where nobody verified it."""
    tls = socket.transport.get_extra_info("ssl_object")
    return (tls.getpeercert() if tls is not None else None) or {}
