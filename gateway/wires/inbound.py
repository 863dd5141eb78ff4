"""What a WebSocket client sends, out of a byte stream that arrives in any pieces.  Pure.

Frames are parsed by the sans-I/O part of `websockets` (RFC 6455 section 5); messages are put together here.  Most
connections say nothing for hours: a parser is needed only from the first byte of a message to its last, so its
owner drops it whenever it is `idle`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.streams import StreamReader


class Message(NamedTuple):
    """A whole message: str where it was sent as text, bytes where as binary."""

    data: str | bytes


class Ping(NamedTuple):
    """To be answered by a pong with the same *payload*."""

    payload: bytes


class Pong(NamedTuple):
    """An answer to a ping, or a sign of life without one."""


class Farewell(NamedTuple):
    """The client closes the connection; *code* None: it gave none.  Nothing after it counts."""

    code: int | None


class Violation(NamedTuple):
    """The client broke the protocol in the way that the close code *code* stands for.  Nothing after it counts."""

    code: int


Event = Message | Ping | Pong | Farewell | Violation

PIECES: Final = 1_000
"""Most fragments of one message: RFC 6455 has no bound, and an empty fragment adds nothing to a message's size."""

_EMPTY_PONG: Final = b"\x8a\x80"
_LONE_PONG: Final = 6
"""Bytes of such a frame: these two, and a mask."""
_CONTROL_BYTES: Final = 125
"""Most bytes of a control frame (RFC 6455 section 5.5)."""


def lone_pong(data: bytes) -> bool:
    """Whether *data* is nothing but the answer to a ping without payload: a whole, masked, empty pong frame.

    All that most clients ever send.  To know it without a parser takes 0.2 µs instead of 12.
    """
    return len(data) == _LONE_PONG and data.startswith(_EMPTY_PONG)


class Inbound:
    """One connection's incoming frames; holds at most a message of *max_size* bytes and one read of the socket."""

    __slots__ = ("_ended", "_frame", "_max_size", "_opcode", "_pieces", "_reader", "_size")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._reader = StreamReader()
        self._frame: Generator[None, None, Frame] | None = None
        self._opcode: Opcode | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost with this object: no byte of an unfinished frame or message was seen."""
        return self._frame is None and self._opcode is None and not self._ended

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take *data* and return what it completes, in order.

        Each frame is parsed when its event is asked for: one read of the socket can hold 43,000 pings, and half a
        second would pass (12 µs each) before somebody could say that they are too many.
        """
        if not self._ended:
            self._reader.feed_data(data)
        return self._events()

    def _events(self) -> Iterator[Event]:
        try:
            while (frame := self._next_frame()) is not None:
                event = self._add(frame)
                if event is not None:
                    yield event
        except PayloadTooBig:
            yield self._violate(CloseCode.MESSAGE_TOO_BIG)
        except UnicodeDecodeError:
            yield self._violate(CloseCode.INVALID_DATA)
        except ProtocolError:
            yield self._violate(CloseCode.PROTOCOL_ERROR)

    def _violate(self, code: int) -> Violation:
        self._ended = True
        self._reader.discard()
        return Violation(int(code))

    def _next_frame(self) -> Frame | None:
        """Return the next frame that is complete; None: there is none, or nothing counts any more."""
        if self._frame is None:
            if self._ended or not self._reader.buffer:
                return None
            # A control frame may come in the midst of a message that has nearly reached its size.
            room = max(self._max_size - self._size, _CONTROL_BYTES)
            self._frame = Frame.parse(self._reader.read_exact, mask=True, max_size=room)
        try:
            next(self._frame)
        except StopIteration as complete:
            self._frame = None
            frame: Frame = complete.value
            return frame
        return None

    def _add(self, frame: Frame) -> Event | None:
        """Return what *frame* is, or completes; None: a message of which more is to come."""
        match frame.opcode:
            case Opcode.PING:
                return Ping(bytes(frame.data))
            case Opcode.PONG:
                return Pong()
            case Opcode.CLOSE:
                close = Close.parse(frame.data)
                self._ended = True
                return Farewell(int(close.code) if frame.data else None)
            case _:
                return self._add_piece(frame)

    def _add_piece(self, frame: Frame) -> Message | None:
        if (frame.opcode is Opcode.CONT) != (self._opcode is not None) or len(self._pieces) >= PIECES:
            raise ProtocolError("a fragment out of order, or one too many")
        self._opcode = self._opcode or frame.opcode
        self._pieces.append(bytes(frame.data))
        self._size += len(frame.data)
        if self._size > self._max_size:
            raise PayloadTooBig(self._size, self._max_size)
        if not frame.fin:
            return None
        data = b"".join(self._pieces)
        message = Message(data.decode() if self._opcode is Opcode.TEXT else data)
        self._opcode, self._size = None, 0
        self._pieces.clear()
        return message
