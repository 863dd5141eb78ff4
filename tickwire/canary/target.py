"""What a canary may be pointed at.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from services.errors import BadInput
from services.market.symbol import Symbol, parse_symbol

SYMBOLS: Final = 100
"""Most symbols of one canary: it is there to notice, not to load."""
_SCHEMES: Final = ("ws", "wss")


def stream_address(text: str) -> str:
    """Return *text*, which is the address of a stream.

    Raises:
        BadInput: it is none; a user or a query, which may hold a secret, is not repeated.
    """
    if (fault := _fault(text)) is not None:
        raise BadInput(f"the address {fault}, but must be ws://HOST:PORT/v1/stream or wss://HOST/v1/stream")
    return text


def _fault(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        return f"cannot be read ({error})"
    if parts.scheme not in _SCHEMES:
        return f"begins with {parts.scheme}:" if parts.scheme else "has no scheme"
    if parts.username is not None or parts.query or parts.fragment:
        return "has a user, a query or a fragment"
    if not parts.hostname or port == 0:
        return "names no host, or port 0"
    return None if parts.path.strip("/") else "has no path"


def symbols_named(texts: Iterable[str]) -> tuple[Symbol, ...]:
    """Return the symbols, each once, in their order.

    Raises:
        BadInput: one is not spelled like a symbol, or they are too many.
    """
    symbols = tuple(dict.fromkeys(parse_symbol(text.upper()) for text in texts))
    if len(symbols) > SYMBOLS:
        raise BadInput(f"{len(symbols)} symbols, but a canary follows at most {SYMBOLS}")
    return symbols
