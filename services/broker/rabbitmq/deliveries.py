"""Takes the messages of our consumers out of a connection's bytes, before aiormq decodes them (PURE).

aiormq spends three awaits per frame, pamqp's decoding and a task on each message: about 120 us of CPU, where the
same bytes cost 3 here.  Whatever was not asked for is left to it, byte for byte and in order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from services.broker.rabbitmq.content import BASIC, MAX_BODY, identity_of, offset_of, size_of, traced_identity_of
from services.broker.rabbitmq.frames import MAX_FRAME, NotFrames
from services.market.symbol import Symbol

_METHOD, _HEADER, _BODY = 1, 2, 3
_END: Final = 0xCE
_frame_at: Final = struct.Struct(">BHI").unpack_from
_HEAD: Final = 7
"""Bytes of a frame before its payload: type, channel, size."""
_DELIVER: Final = b"\0\x3c\0\x3c"
_number_at: Final = struct.Struct(">Q").unpack_from
_header_at: Final = struct.Struct(">BHIIQH").unpack_from
"""A content header's frame up to the properties: type, channel, size, class, size of the body, property flags."""
_body_at: Final = struct.Struct(">BBHI").unpack_from
"""The last byte of that frame, and a body frame's type, channel, size."""
_SHORTEST: Final = 29
"""Bytes of the smallest header frame (22) and of a body frame before its payload."""
_OURS: Final = 1 << 12 | 1 << 7
"""The flags of what our producers set: delivery_mode and message_id."""

Consumer = tuple[int, bytes]
"""Channel and consumer tag."""
Delivery = tuple[Symbol, str | None, bytes]
"""A whole message: the symbol that its consumer was entered with, its message_id, its body.  If it has a trace
context, that stands behind the message_id (`services.market.wire.with_context`).  A plain tuple: a named one costs
0.3 us more, a tenth of the whole."""
Entry = tuple[str, str | None, bytes]
"""A whole message of an acked consumer: its routing key, its message_id, its body."""


class Batch(NamedTuple):
    """What one read brought for an acked consumer."""

    channel: int
    entries: list[Entry]
    number: int
    """Delivery tag of the last entry: acknowledging it with `multiple` settles all entries."""
    offset: int | None
    """Where the last entry is in its stream; None: it came from none."""


Reader = Callable[[Batch], None]


class Wanted(NamedTuple):
    """A consumer whose messages are taken out."""

    symbol: Symbol
    """Whose ticks they are; empty: control messages."""
    reader: Reader | None = None
    """Who is given a batch per read instead, and acknowledges it; None: nothing needs acknowledging."""


class Shared(NamedTuple):
    """A consumer whose messages are told apart by their routing keys."""

    keys: Mapping[str, Wanted]
    """Looked up for each message: what is entered or taken out holds from the next one on."""
    otherwise: Wanted
    """What becomes of a message by any other key."""


class Lifted(NamedTuple):
    """What one read completed."""

    deliveries: list[Delivery]
    batches: list[tuple[Reader, Batch]]
    others: bytes
    """Every other frame."""


class Deliveries:
    """Cuts a byte stream that arrives in any pieces into deliveries and the rest.

    Holds at most one unfinished frame, and per channel one unfinished message of at most `MAX_BODY`.
    """

    def __init__(self) -> None:
        self.wanted: dict[Consumer, Wanted | Shared] = {}
        """What is taken out."""
        self._begun: dict[int, _Begun] = {}
        self._found: list[Delivery] = []
        self._piles: dict[Consumer, _Pile] = {}
        self._rest = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> Lifted:
        """Take *data* and return what it completes, each part in the order completed.

        Raises:
            NotFrames: a frame is larger than `MAX_FRAME`, does not end as a frame does or is cut short inside; a
                message breaks the protocol's order or is too large.  Nothing after it can be read.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return Lifted([], [], b"")
            data = bytes(self._rest)
            self._rest.clear()
        found: list[Delivery] = []
        self._found = found
        try:
            others = self._cut(data)
            batches = self._batches() if self._piles else []
        except (struct.error, IndexError) as error:
            raise NotFrames("a frame is cut short inside") from error
        return Lifted(found, batches, others)

    def _cut(self, data: bytes) -> bytes:  # noqa: C901 - one loop over frames; a call per frame would cost a tenth
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
            taken = 0
            if self._begun and channel in self._begun:
                self._go_on(kind, channel, data[at + _HEAD : after - 1])
                taken = after
            elif kind == _METHOD and data.startswith(_DELIVER, at + _HEAD):
                taken = self._take(channel, data, at, after)
            if taken:
                if kept < at:
                    others.append(data[kept:at])
                kept = taken
            at = taken or after
        if kept < at:
            others.append(data[kept:at])
        if at < length:
            self._rest += data[at:]
        return b"".join(others)

    def _take(self, channel: int, data: bytes, at: int, after: int) -> int:
        """Return where the stream goes on behind what was taken of the delivery at *at*; 0: it is not for us."""
        tag_end = at + 12 + data[at + 11]
        consumer = channel, data[at + 12 : tag_end]
        wanted = self.wanted.get(consumer)
        if wanted is None:
            return 0
        if isinstance(wanted, Shared):
            wanted = wanted.keys.get(_key(data, tag_end + 9, after), wanted.otherwise)
        symbol, reader = wanted
        whole = _whole(data, after, channel, reader)
        if whole and reader is None:
            identity, body, end = whole
            self._found.append((symbol, identity, body))
            return end
        begun = _Begun(consumer, wanted, _key(data, tag_end + 9, after), _number_at(data, tag_end)[0])
        if whole is None:
            self._begun[channel] = begun
            return after
        identity, body, end = whole
        self._finish(begun, identity, body, (data, after + _HEAD, end))
        return end

    def _go_on(self, kind: int, channel: int, payload: bytes) -> None:
        begun = self._begun[channel]
        if not begun.complete(kind, payload):
            return
        del self._begun[channel]
        header = begun.header, 0, len(begun.header)
        read = traced_identity_of if begun.wanted.reader is None else identity_of
        self._finish(begun, read(*header), bytes(begun.body), header)

    def _finish(self, begun: _Begun, identity: str | None, body: bytes, header: tuple[bytes, int, int]) -> None:
        symbol, reader = begun.wanted
        if reader is None:
            self._found.append((symbol, identity, body))
            return
        pile = self._piles.get(begun.consumer)
        if pile is None:
            pile = self._piles[begun.consumer] = _Pile(reader)
        pile.entries.append((begun.key, identity, body))
        pile.number, pile.header = begun.number, header

    def _batches(self) -> list[tuple[Reader, Batch]]:
        piles, self._piles = self._piles, {}
        return [
            (pile.reader, Batch(channel, pile.entries, pile.number, offset_of(*pile.header)))
            for (channel, _), pile in piles.items()
        ]


class _Pile:
    """What this read has brought for an acked consumer so far."""

    __slots__ = ("entries", "header", "number", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader, self.entries = reader, list[Entry]()
        self.number = 0
        self.header = b"", 0, 0
        """The last entry's: its offset is parsed once per batch."""


class _Begun:
    """A message whose frames have not all come."""

    __slots__ = ("body", "consumer", "header", "key", "number", "size", "wanted")

    def __init__(self, consumer: Consumer, wanted: Wanted, key: str, number: int) -> None:
        self.consumer, self.wanted, self.key, self.number = consumer, wanted, key, number
        self.size = -1
        self.header, self.body = b"", bytearray()

    def complete(self, kind: int, payload: bytes) -> bool:
        """Take the next frame of the message's channel and return whether it was the last."""
        if kind != (_HEADER if self.size < 0 else _BODY):
            raise NotFrames(f"a frame of type {kind} inside a message")
        if kind == _BODY:
            self.body += payload
        else:
            self.header, self.size = payload, size_of(payload)
        if len(self.body) > self.size:
            raise NotFrames(f"a body of {len(self.body)} bytes instead of {self.size}")
        return len(self.body) == self.size


def _whole(data: bytes, at: int, channel: int, reader: Reader | None) -> tuple[str | None, bytes, int] | None:
    """Return message_id, body and what is behind it where header and one body frame follow at *at*.

    Nearly every message of ours is so, and then needs no state (a third of the cost).  A *reader* gets no trace
    contexts.
    """
    length = len(data)
    if length - at < _SHORTEST:
        return None
    kind, number, size, basic, body_size, flags = _header_at(data, at)
    end = at + _HEAD + size
    if kind != _HEADER or number != channel or basic != BASIC or length < end + _HEAD + 1:
        return None
    last, kind, number, size = _body_at(data, end)
    body_at = end + _HEAD + 1
    body_end = body_at + size
    if (
        last != _END
        or kind != _BODY
        or number != channel
        or size != body_size
        or not size
        or size > MAX_BODY
        or length <= body_end
        or data[body_end] != _END
    ):
        return None
    if flags == _OURS and at + 23 + data[at + 22] == end:  # nothing but delivery_mode and message_id
        identity: str | None = str(data[at + 23 : end], "utf-8", "replace")
    elif reader is None:
        identity = traced_identity_of(data, at + _HEAD, end)
    else:
        identity = identity_of(data, at + _HEAD, end)
    return identity, data[body_at:body_end], body_end + 1


def _key(data: bytes, at: int, after: int) -> str:
    """Return the routing key of the delivery whose exchange is at *at*."""
    at += 1 + data[at]
    end = at + 1 + data[at]
    if end >= after:
        raise NotFrames("a delivery is cut short inside")
    return str(data[at + 1 : end], "utf-8", "replace")
