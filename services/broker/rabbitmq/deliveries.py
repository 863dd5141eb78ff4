"""Takes the messages of our consumers out of a connection's bytes, before aiormq decodes them (PURE).

aiormq spends three awaits per frame, pamqp's decoding and a task on each message: about 120 us of CPU, where the
same bytes cost 3 here.  Whatever was not asked for is left to it, byte for byte and in order.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from services.broker.rabbitmq.frames import MAX_FRAME, NotFrames
from services.market.symbol import Symbol

MAX_BODY: Final = 4 * 1024**2
"""Bytes of the largest message: forty times the largest of ours, a part of the directory (100 KB)."""

_METHOD, _HEADER, _BODY = 1, 2, 3
_END: Final = 0xCE
_frame_at: Final = struct.Struct(">BHI").unpack_from
_DELIVER: Final = b"\0\x3c\0\x3c"
_HEAD: Final = 7
"""Bytes of a frame before its payload: type, channel, size."""
_content_at: Final = struct.Struct(">HHQH").unpack_from
"""Class, weight, size of the body, first word of the property flags."""
_CONTENT: Final = 14
_u16_at: Final = struct.Struct(">H").unpack_from
_u32_at: Final = struct.Struct(">I").unpack_from
_BASIC: Final = 60

_MORE_FLAGS, _MESSAGE_ID, _DELIVERY_MODE, _HEADERS = 1, 1 << 7, 1 << 12, 1 << 13
_BEFORE_MESSAGE_ID: Final = 0xFF00
_BYTES: Final = {_DELIVERY_MODE: 1, 1 << 11: 1}
"""Properties before message_id that have a fixed size (delivery_mode, priority); headers are a table, the other
five short strings."""


class Delivery(NamedTuple):
    """A whole message, and the symbol that its consumer was asked for with (empty: control messages)."""

    symbol: Symbol
    key: str
    """The routing key."""
    identity: str | None
    """Its message_id."""
    body: bytes


class Deliveries:
    """Cuts a byte stream that arrives in any pieces into deliveries and the rest.

    Holds at most one unfinished frame, and per channel one unfinished message of at most `MAX_BODY`.
    """

    def __init__(self) -> None:
        self.wanted: dict[tuple[int, bytes], Symbol] = {}
        """What is taken out: channel and consumer tag, and the symbol of what comes for it."""
        self._begun: dict[int, _Begun] = {}
        self._found: list[Delivery] = []
        self._rest = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> tuple[list[Delivery], bytes]:
        """Take *data* and return the deliveries that it completes, and the other frames that it completes.

        Raises:
            NotFrames: as `FrameSplitter.feed`, or a message that breaks the protocol's order or is too large.
                Nothing after it can be read.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return [], b""
            data = bytes(self._rest)
            self._rest.clear()
        self._found = []
        try:
            others = self._cut(data)
        except (struct.error, IndexError) as error:
            raise NotFrames("a frame is cut short inside") from error
        return self._found, others

    def _cut(self, data: bytes) -> bytes:
        others: list[bytes] = []
        at = kept = 0
        length = len(data)
        self._needed = _HEAD
        while length - at >= _HEAD:
            kind, channel, size = _frame_at(data, at)
            after = at + _HEAD + size + 1
            if size > MAX_FRAME:
                raise NotFrames(f"a frame of {size} bytes")
            if after > length:
                self._needed = after - at
                break
            if data[after - 1] != _END:
                raise NotFrames(f"a frame ends in {data[after - 1]:#x}")
            taken = self._take(kind, channel, data, at + _HEAD, after)
            if taken:
                if kept < at:
                    others.append(data[kept:at])
                kept = taken
            at = taken or after
        if kept < at:
            others.append(data[kept:at])
        self._rest += data[at:]
        return b"".join(others)

    def _take(self, kind: int, channel: int, data: bytes, at: int, after: int) -> int:
        """Return where the stream goes on behind what was taken, 0 if the frame at *at* is not for us."""
        begun = self._begun.get(channel) if self._begun else None
        if begun is not None:
            if kind == _METHOD:
                raise NotFrames("a method inside a message")
            if begun.complete(kind, data[at : after - 1]):
                del self._begun[channel]
                self._found.append(begun.delivery())
            return after
        if kind != _METHOD or not data.startswith(_DELIVER, at):
            return 0
        tag_end = at + 5 + data[at + 4]
        symbol = self.wanted.get((channel, data[at + 5 : tag_end]))
        if symbol is None:
            return 0
        key_at = tag_end + 9  # behind the delivery tag and a bit: here is the exchange, then the routing key
        key_at += 1 + data[key_at]
        key_end = key_at + 1 + data[key_at]
        if key_end >= after:
            raise NotFrames("a delivery is cut short inside")
        key = data[key_at + 1 : key_end].decode("utf-8", "replace")
        if whole := _whole(data, after, channel):
            identity, body, after = whole
            self._found.append(Delivery(symbol, key, identity, body))
        else:
            self._begun[channel] = _Begun(symbol, key)
        return after


class _Begun:
    """A message whose frames have not all come."""

    def __init__(self, symbol: Symbol, key: str) -> None:
        self._symbol, self._key = symbol, key
        self._identity: str | None = None
        self._size = -1
        self._body = bytearray()

    def complete(self, kind: int, payload: bytes) -> bool:
        """Take the next frame of the message's channel and return whether it was the last."""
        if kind != (_HEADER if self._size < 0 else _BODY):
            raise NotFrames(f"a frame of type {kind} inside a message")
        if kind == _BODY:
            self._body += payload
        else:
            basic, _, self._size, flags = _content_at(payload)
            _check(basic, self._size)
            self._identity = _identity(payload, flags, _CONTENT, len(payload))
        if len(self._body) > self._size:
            raise NotFrames(f"a body of {len(self._body)} bytes instead of {self._size}")
        return len(self._body) == self._size

    def delivery(self) -> Delivery:
        """Return the message."""
        return Delivery(self._symbol, self._key, self._identity, bytes(self._body))


def _whole(data: bytes, at: int, channel: int) -> tuple[str | None, bytes, int] | None:
    """Return message_id, body and what is behind it where header and one body frame follow at *at*.

    Nearly every message of ours is so, and then needs no state (a third of the cost).
    """
    if len(data) - at < 29:  # noqa: PLR2004 - the smallest header frame, and the head of a body frame
        return None
    kind, number, size = _frame_at(data, at)
    end = at + size + 7
    if kind != _HEADER or number != channel or len(data) < end + 8 or data[end] != _END:
        return None
    basic, _, body_size, flags = _content_at(data, at + 7)
    _check(basic, body_size)
    kind, number, size = _frame_at(data, end + 1)
    body_end = end + 8 + size
    if (
        kind != _BODY
        or number != channel
        or size != body_size
        or not size
        or len(data) <= body_end
        or data[body_end] != _END
    ):
        return None
    return _identity(data, flags, at + 7 + _CONTENT, end), data[end + 8 : body_end], body_end + 1


def _check(basic: int, size: int) -> None:
    if basic != _BASIC:
        raise NotFrames(f"content of class {basic}")
    if size > MAX_BODY:
        raise NotFrames(f"a message of {size} bytes")


def _identity(data: bytes, flags: int, at: int, end: int) -> str | None:
    """Return the message_id among the properties from *at* to *end*, None if there is none.

    Walks the flags: RabbitMQ 4.0 adds a delivery_mode to what comes from a stream, 3.10 does not.
    """
    word = flags
    while word & _MORE_FLAGS:
        (word,) = _u16_at(data, at)
        at += 2
    before = flags & _BEFORE_MESSAGE_ID
    if before == _DELIVERY_MODE:  # all that our producers set
        at += 1
    elif before:
        at = _behind(data, before, at)
    identity_end = at + 1 + data[at] if flags & _MESSAGE_ID else at
    if identity_end > end:
        raise NotFrames("a content header is cut short inside")
    return data[at + 1 : identity_end].decode("utf-8", "replace") if flags & _MESSAGE_ID else None


def _behind(data: bytes, flags: int, at: int) -> int:
    for bit in range(15, 7, -1):
        flag = flags & 1 << bit
        if flag == _HEADERS:
            at += 4 + int(_u32_at(data, at)[0])
        elif flag:
            at += _BYTES.get(flag) or 1 + data[at]
    return at
