"""What is read of a content header: size of the body, message_id, offset in a stream, trace context (PURE)."""

from __future__ import annotations

import struct
from typing import Final

from services.broker.rabbitmq.frames import TRACEPARENT, NotFrames
from services.market.wire import with_context

MAX_BODY: Final = 4 * 1024**2
"""Bytes of the largest message: forty times the largest of ours, a part of the directory (100 KB)."""
MAX_CONTEXT: Final = 512
"""Bytes of the longest trace context that is looked at; those of today's version have 55."""
_CONTENT: Final = 14
"""Bytes of a header before its properties."""
BASIC: Final = 0x3C0000
"""Class and weight of every content."""

_content_at: Final = struct.Struct(">IQH").unpack_from
_u16_at: Final = struct.Struct(">H").unpack_from
_u32_at: Final = struct.Struct(">I").unpack_from
_i64_at: Final = struct.Struct(">q").unpack_from

_MORE_FLAGS, _MESSAGE_ID, _DELIVERY_MODE, _HEADERS = 1, 1 << 7, 1 << 12, 1 << 13
_BEFORE_HEADERS, _BEFORE_MESSAGE_ID = 0xC000, 0xFF00
_BYTES: Final = {_DELIVERY_MODE: 1, 1 << 11: 1}
"""Properties before message_id that have a fixed size (delivery_mode, priority); headers are a table, the other
five short strings."""

_OFFSET: Final = b"x-stream-offset"
_LONG: Final = ord("l")
_TEXT: Final = ord("S")
_SIZES: Final = {
    **dict.fromkeys(b"tbB", 1),
    **dict.fromkeys(b"su", 2),
    **dict.fromkeys(b"Iif", 4),
    **dict.fromkeys(b"lLdT", 8),
    ord("D"): 5,
    ord("V"): 0,
}
"""Bytes of a table's value by its type, where it does not begin with its length."""
_MEASURED: Final = b"SxAF"


def size_of(payload: bytes) -> int:
    """Return the size of the body that the header *payload* announces.

    Raises:
        NotFrames: it is no header of a message, or the body is larger than `MAX_BODY`.
    """
    basic, size, _ = _content_at(payload)
    if basic >> 16 != BASIC >> 16:
        raise NotFrames(f"content of class {basic >> 16}")
    if size > MAX_BODY:
        raise NotFrames(f"a message of {size} bytes")
    return int(size)


def identity_of(data: bytes, at: int, end: int) -> str | None:
    """Return the message_id in the header from *at* to *end*, None if there is none.

    Walks the flags: RabbitMQ 4.0 adds a delivery_mode to what comes from a stream, 3.10 does not.
    """
    flags, at = _properties(data, at)
    at = _behind(data, flags & _BEFORE_MESSAGE_ID, at)
    identity_end = at + 1 + data[at] if flags & _MESSAGE_ID else at
    if identity_end > end:
        raise NotFrames("a content header is cut short inside")
    return data[at + 1 : identity_end].decode("utf-8", "replace") if flags & _MESSAGE_ID else None


def traced_identity_of(data: bytes, at: int, end: int) -> str | None:
    """Return what `identity_of` returns, with the trace context behind it where the header has one.

    A context that cannot be read counts as none: it is no reason to lose a tick.
    """
    identity = identity_of(data, at, end)
    try:
        value, last = _header(data, at, _TEXT, TRACEPARENT)
        size = int(_u32_at(data, value)[0]) if value else 0
    except (struct.error, IndexError, NotFrames):
        return identity
    value += 4
    if not 0 < size <= MAX_CONTEXT or value + size > last:
        return identity
    return with_context(identity or "", data[value : value + size].decode("utf-8", "replace"))


def offset_of(data: bytes, at: int, end: int) -> int | None:
    """Return the offset that a stream adds to the header from *at* to *end*, None if there is none."""
    value, last = _header(data, at, _LONG, _OFFSET)
    if last > end:
        raise NotFrames("a content header is cut short inside")
    return int(_i64_at(data, value)[0]) if value else None


def _header(data: bytes, at: int, wanted: int, name: bytes) -> tuple[int, int]:
    """Return where the value of header *name* begins, 0 if none is of type *wanted*; and where the table ends."""
    flags, at = _properties(data, at)
    if not flags & _HEADERS:
        return 0, 0
    at = _behind(data, flags & _BEFORE_HEADERS, at)
    last = at + 4 + int(_u32_at(data, at)[0])
    at += 4
    while at < last:
        name_end = at + 1 + data[at]
        kind = data[name_end]
        if kind == wanted and data[at + 1 : name_end] == name:
            return name_end + 1, last
        size = _SIZES.get(kind)
        if size is None:
            if kind not in _MEASURED:
                break  # a type that we do not know has no end that we know
            size = 4 + int(_u32_at(data, name_end + 1)[0])
        at = name_end + 1 + size
    return 0, last


def _properties(data: bytes, at: int) -> tuple[int, int]:
    _, _, flags = _content_at(data, at)
    at, word = at + _CONTENT, flags
    while word & _MORE_FLAGS:
        (word,) = _u16_at(data, at)
        at += 2
    return flags, at


def _behind(data: bytes, flags: int, at: int) -> int:
    for bit in range(15, 7, -1):
        flag = flags & 1 << bit
        if flag == _HEADERS:
            at += 4 + int(_u32_at(data, at)[0])
        elif flag:
            at += _BYTES.get(flag) or 1 + data[at]
    return at
