"""The few AMQP frames that are read and written by hand (PURE).

aiormq keeps the protocol; it has no public event for a broker's confirms on a channel that it does not number
itself, nor for `Connection.Blocked`, and its publish costs about 190 us of CPU where these bytes cost 3.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_TLS_ALERT: Final = b"\x15"
_HEADER: Final = struct.Struct(">BHI")
_METHOD: Final = 1
_END: Final = 0xCE
_END_BYTE: Final = b"\xce"
MAX_FRAME: Final = 16 * 1024**2
"""Above any frame_max in use (131,072): a larger size means that these bytes are not frames."""

_CLOSE, _BLOCKED, _UNBLOCKED = b"\0\x0a\0\x32", b"\0\x0a\0\x3c", b"\0\x0a\0\x3d"
_CHANNEL_CLOSE, _ACK, _NACK = b"\0\x14\0\x28", b"\0\x3c\0\x50", b"\0\x3c\0\x78"
_TAG: Final = struct.Struct(">QB")
_U16: Final = struct.Struct(">H")
_U32: Final = struct.Struct(">I")


class Settled(NamedTuple):
    """The broker answered for message *number* of *channel*, or for all up to it."""

    channel: int
    number: int
    multiple: bool
    accepted: bool


class Blocked(NamedTuple):
    """The broker stops reading, or reads again."""

    blocked: bool


class Closed(NamedTuple):
    """The broker closes *channel* (0: the connection)."""

    channel: int
    code: int
    text: str


Event = Settled | Blocked | Closed


class NotFrames(ValueError):
    """The bytes are no AMQP frames; nothing after them can be read."""


class SpeaksTls(NotFrames):
    """The first byte begins a TLS alert: whoever answers there wants TLS, and we do not speak it."""


def check_first(data: bytes) -> None:
    """Check the first bytes of a stream.

    Raises:
        SpeaksTls: they are a TLS alert.
    """
    if data[:1] == _TLS_ALERT:
        raise SpeaksTls("the broker speaks TLS on this port: its address begins with amqps://")


class FrameSplitter:
    """Finds the events in a byte stream that arrives in any pieces; holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Event]:
        """Take *data* and return the events that it completes, in order.

        Raises:
            NotFrames: a frame is larger than `MAX_FRAME`, does not end as a frame does, or is cut short inside.
        """
        rest = self._rest
        rest += data
        events: list[Event] = []
        start, length = 0, len(rest)
        while length - start > _HEADER.size:
            kind, channel, size = _HEADER.unpack_from(rest, start)
            payload = start + _HEADER.size
            end = payload + size
            if size > MAX_FRAME:
                raise NotFrames(f"a frame of {size} bytes")
            if end >= length:
                break
            if rest[end] != _END:
                raise NotFrames(f"a frame ends in {rest[end]:#x}")
            if kind == _METHOD:
                _add_event(events, channel, bytes(rest[payload:end]))
            start = end + 1
        del rest[:start]
        return events


def _add_event(events: list[Event], channel: int, payload: bytes) -> None:
    try:
        event = _event(channel, payload)
    except (struct.error, IndexError) as error:
        raise NotFrames(f"a method of {len(payload)} bytes") from error
    if event is not None:
        events.append(event)


def _event(channel: int, payload: bytes) -> Event | None:
    method = payload[:4]
    if method in (_ACK, _NACK):
        number, bits = _TAG.unpack_from(payload, 4)
        return Settled(channel, number, multiple=bool(bits & 1), accepted=method == _ACK)
    if method in (_CLOSE, _CHANNEL_CLOSE):
        (code,) = _U16.unpack_from(payload, 4)
        return Closed(channel, code, payload[7 : 7 + payload[6]].decode(errors="replace"))
    if method in (_BLOCKED, _UNBLOCKED):
        return Blocked(method == _BLOCKED)
    return None


METHODS: Final = 20_000
"""Method frames kept, about 150 bytes each: reply queues come and go, and each has a routing key."""
_PUBLISH: Final = b"\0\x3c\0\x28\0\0"
_CONTENT: Final = 60 << 16
"""Class and weight."""
_HEADERS, _DELIVERY_MODE, _MESSAGE_ID = 1 << 13, 1 << 12, 1 << 7
_CONTENT_HEADER: Final = struct.Struct(">BHIIQHB").pack
"""Type, channel, size of the payload, class, size of the body, property flags, delivery_mode."""
TRACEPARENT: Final = b"traceparent"
"""The header that carries a trace context."""
_TRACED_HEADER: Final = struct.Struct(">BHIIQHI").pack
"""The same up to the property flags, and the size of the headers; delivery_mode comes behind these."""
_BODY: Final = struct.Struct(">BBHI").pack
"""The end of the frame before, type, channel, size of the payload."""
_BODY_OVERHEAD: Final = 8
"""Seven bytes before a frame's payload and one after it."""


class Envelopes:
    """Writes publishes on one channel: not mandatory, delivery_mode 1, no other property than message_id.

    A traced one has a header, too: `add_traced`.

    *frame_max* is the largest frame agreed with the broker, in bytes; a longer body takes several.  The method
    frame, the same for each message of an exchange and a key, is made once and kept.
    """

    def __init__(self, channel: int, frame_max: int) -> None:
        self._channel, self._step = channel, frame_max - _BODY_OVERHEAD
        self._methods: dict[tuple[str, str], bytes] = {}

    def add(self, parts: list[bytes], exchange: str, key: str, message_id: str | None, body: bytes) -> None:
        """Append the bytes that publish *body*, in pieces: joining those of a batch once is cheaper."""
        method = self._methods.get((exchange, key)) or self._method(exchange, key)
        if message_id is None:
            flags, identity = _DELIVERY_MODE, b""
        else:
            flags, identity = _DELIVERY_MODE | _MESSAGE_ID, _short(message_id)
        length = len(body)
        header = _CONTENT_HEADER(2, self._channel, 15 + len(identity), _CONTENT, length, flags, 1)
        if 0 < length <= self._step:
            parts += (method, header, identity, _BODY(_END, 3, self._channel, length), body, _END_BYTE)
            return
        parts += (method, header, identity)
        for start in range(0, length, self._step):
            piece = body[start : start + self._step]
            parts += (_BODY(_END, 3, self._channel, len(piece)), piece)
        parts.append(_END_BYTE)

    def add_traced(
        self, parts: list[bytes], exchange: str, key: str, message_id: str | None, body: bytes, *, context: str
    ) -> None:
        """Append the bytes that publish *body* with the header `traceparent`: one message in thousands."""
        at = len(parts) + 1  # behind the method
        self.add(parts, exchange, key, message_id, body)
        identity, value = parts[at + 1], context.encode()
        table = b"%c%bS%b%b" % (len(TRACEPARENT), TRACEPARENT, _U32.pack(len(value)), value)
        flags = _HEADERS | _DELIVERY_MODE | (_MESSAGE_ID if identity else 0)
        size = 19 + len(table) + len(identity)
        header = _TRACED_HEADER(2, self._channel, size, _CONTENT, len(body), flags, len(table))
        parts[at] = header + table + b"\1"

    def _method(self, exchange: str, key: str) -> bytes:
        payload = _PUBLISH + _short(exchange) + _short(key) + b"\0"
        method = _frame(self._channel, payload)
        if len(self._methods) >= METHODS:
            self._methods.clear()
        self._methods[exchange, key] = method
        return method


def ack_frame(channel: int, number: int) -> bytes:
    """Return the bytes that acknowledge every message of *channel* up to delivery tag *number*."""
    return _frame(channel, _ACK + _TAG.pack(number, 1))


def _frame(channel: int, payload: bytes) -> bytes:
    return _HEADER.pack(_METHOD, channel, len(payload)) + payload + _END_BYTE


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data
