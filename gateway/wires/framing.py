"""WebSocket frames as a server writes them: whole, unmasked, uncompressed (RFC 6455 section 5.2).  Pure.

aiohttp copies header and payload together for each client; a frame that is built here once can be written to any
number of transports.
"""

from __future__ import annotations

from typing import Final

PING: Final = b"\x89\x00"
"""A ping without payload."""

_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_PONG: Final = 0x8A
_SHORT: Final = 126
_MEDIUM: Final = 1 << 16


def text(payload: bytes) -> bytes:
    """Return the text frame that carries *payload* (UTF-8)."""
    return _frame(_TEXT, payload)


def pong(payload: bytes) -> bytes:
    """Return the answer to a ping with *payload*."""
    return _frame(_PONG, payload)


def close(code: int | None, reason: str = "") -> bytes:
    """Return the close frame with *code*; None: without one."""
    return _frame(_CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < _SHORT:
        return bytes((first, size)) + payload
    if size < _MEDIUM:
        return bytes((first, 126, size >> 8, size & 255)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
