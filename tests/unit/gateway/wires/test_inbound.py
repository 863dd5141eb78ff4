"""Frames from a client, in any pieces."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from gateway.wires.inbound import Event, Farewell, Inbound, Message, Ping, Pong, Violation, lone_pong

MAX: int = 1000


def masked(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame as a client writes it."""
    return Frame(opcode, data, fin).serialize(mask=True)


def fed(*pieces: bytes) -> list[Event]:
    """All events of a stream."""
    inbound = Inbound(MAX)
    return [event for piece in pieces for event in inbound.feed(piece)]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut *data* at *places*."""
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(at)]


texts = st.text(max_size=200).map(lambda text: (Message(text), masked(Opcode.TEXT, text.encode())))
binaries = st.binary(max_size=200).map(lambda data: (Message(data), masked(Opcode.BINARY, data)))
pings = st.binary(max_size=125).map(lambda data: (Ping(data), masked(Opcode.PING, data)))
pongs = st.binary(max_size=125).map(lambda data: (Pong(), masked(Opcode.PONG, data)))


@st.composite
def fragmented(draw: st.DrawFn) -> tuple[Message, bytes]:
    """A text in several frames, with pongs between."""
    text = draw(st.text(min_size=1, max_size=100))
    pieces = cut(text.encode(), draw(st.lists(st.integers(0, 1000), min_size=1, max_size=4)))
    frames = [
        masked(Opcode.CONT if n else Opcode.TEXT, piece, fin=n == len(pieces) - 1)
        for n, piece in enumerate(pieces)
    ]
    return Message(text), b"".join(frames)


@given(st.lists(texts | binaries | pings | pongs | fragmented()), st.lists(st.integers(0, 10_000)))
def test_any_pieces_give_the_same_events(parts: list[tuple[Event, bytes]], places: list[int]) -> None:
    """A stream that is cut anywhere is the events that its frames stand for, and nothing is left behind."""
    inbound = Inbound(MAX)
    data = b"".join(frame for _, frame in parts)
    events = [event for piece in cut(data, places) for event in inbound.feed(piece)]
    assert events == [event for event, _ in parts]
    assert inbound.idle


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=5))
def test_any_bytes_are_survived(data: bytes, places: list[int]) -> None:
    """Bytes that nobody thought of are events, or one violation after which nothing counts; never an error."""
    events = fed(*cut(data, places))
    assert not any(isinstance(event, Violation | Farewell) for event in events[:-1])


def test_mutated_streams_are_survived() -> None:
    """Valid streams with a few wrong bytes are events or one violation, too (a fuzz of 2,000 streams)."""
    dice = random.Random(7)
    valid = b"".join(
        masked(opcode, b'{"op":"ping","id":1}' * n, fin=n != 2)
        for n, opcode in enumerate([Opcode.TEXT, Opcode.PING, Opcode.TEXT, Opcode.CONT, Opcode.CLOSE])
    )
    for _ in range(2000):
        data = bytearray(valid)
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        events = fed(bytes(data[: dice.randrange(len(data))]), bytes(data))
        assert not any(isinstance(event, Violation | Farewell) for event in events[:-1])


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (Frame(Opcode.TEXT, b"unmasked").serialize(mask=False), 1002),
        (b"\xc1\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x09\x80\0\0\0\0", 1002),
        (b"\x89\xfe\0\x7e\0\0\0\0" + bytes(126), 1002),
        (masked(Opcode.CONT, b"of nothing"), 1002),
        (masked(Opcode.TEXT, b"a", fin=False) + masked(Opcode.TEXT, b"b"), 1002),
        (masked(Opcode.TEXT, b"\xff\xfe"), 1007),
        (masked(Opcode.TEXT, b"x" * (MAX + 1)), 1009),
        (b"\x81\xff" + (2**40).to_bytes(8, "big"), 1009),
        (masked(Opcode.TEXT, b"x" * 900, fin=False) + masked(Opcode.CONT, b"x" * 101), 1009),
        (masked(Opcode.TEXT, b"x" * 990, fin=False) + masked(Opcode.CONT, b"x" * 100), 1009),
        (masked(Opcode.CLOSE, b"\x03"), 1002),
        (masked(Opcode.CLOSE, (1005).to_bytes(2, "big")), 1002),
        (masked(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
    ],
    ids=lambda value: value if isinstance(value, int) else "",  # masks are random, names must not be
)
def test_violations(stream: bytes, code: int) -> None:
    """What breaks the protocol has the close code of RFC 6455, and nothing after it counts."""
    assert fed(stream + masked(Opcode.PING))[-1] == Violation(code)
    assert len(fed(stream, masked(Opcode.PING))) == 1


def test_a_control_frame_fits_into_a_message_that_is_nearly_too_big() -> None:
    """A ping between fragments does not count as a part of the message."""
    events = fed(
        masked(Opcode.TEXT, b"x" * (MAX - 1), fin=False),
        masked(Opcode.PING, b"p" * 125),
        masked(Opcode.CONT, b"x"),
    )
    assert events == [Ping(b"p" * 125), Message("x" * MAX)]


def test_fragments_have_a_bound() -> None:
    """A message of endless empty fragments is a violation before it is a burden."""
    inbound = Inbound(MAX)
    assert list(inbound.feed(masked(Opcode.TEXT, fin=False))) == []
    events = list(inbound.feed(masked(Opcode.CONT, fin=False) * 1001))
    assert events == [Violation(1002)]


def test_frames_are_parsed_when_asked_for() -> None:
    """A read that holds more frames than its owner takes costs what was taken; the rest is still there."""
    inbound = Inbound(MAX)
    events = inbound.feed(masked(Opcode.PING, b"1") + masked(Opcode.PING, b"2") + b"\x8f\x80")
    assert next(events) == Ping(b"1")
    assert list(inbound.feed(b"more")) == [Ping(b"2"), Violation(1002)]


def test_a_close_frame_ends_it() -> None:
    """The client's code is told, and what it sends afterwards is ignored."""
    assert fed(masked(Opcode.CLOSE, Close(4001, "bye").serialize()) + masked(Opcode.PING)) == [Farewell(4001)]
    assert fed(masked(Opcode.CLOSE), masked(Opcode.PING)) == [Farewell(None)]


def test_idle_only_between_messages() -> None:
    """A parser may be dropped between two messages, and never inside a frame or a message."""
    inbound = Inbound(MAX)
    assert [inbound.idle] == [True]
    frame = masked(Opcode.TEXT, b"hello")
    for at in range(len(frame)):
        last = at == len(frame) - 1
        assert list(inbound.feed(frame[at : at + 1])) == [Message("hello")] * last
        assert inbound.idle == last
    assert not list(inbound.feed(masked(Opcode.TEXT, b"a", fin=False)))
    assert [inbound.idle] == [False]
    assert list(inbound.feed(masked(Opcode.CONT, b"b"))) == [Message("ab")]
    assert [inbound.idle] == [True]


@given(st.binary(max_size=8), st.binary(max_size=2))
def test_a_lone_pong_is_known_without_a_parser(payload: bytes, more: bytes) -> None:
    """What counts as a lone pong is, to the parser, a pong and nothing else."""
    whole = masked(Opcode.PONG, payload) + more
    assert lone_pong(whole) == (payload == more == b"")
    if lone_pong(whole):
        assert list(Inbound(100).feed(whole)) == [Pong()]
    assert not lone_pong(masked(Opcode.PING, b""))
