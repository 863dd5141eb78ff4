"""The frames read and written by hand, against pamqp's idea of them."""

from __future__ import annotations

from contextlib import suppress

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.common import FieldTable
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from services.broker.rabbitmq import frames
from services.broker.rabbitmq.frames import (
    MAX_FRAME,
    Blocked,
    Closed,
    Envelopes,
    Event,
    FrameSplitter,
    NotFrames,
    Settled,
    SpeaksTls,
    ack_frame,
    check_first,
)

channels = st.integers(1, 65_535)
tags = st.integers(1, 2**63 - 1)
texts = st.text(max_size=60)
Piece = tuple[bytes, Event | None]


def publish_frames(
    channel: int,
    *,
    exchange: str,
    key: str,
    message_id: str | None,
    body: bytes,
    frame_max: int,
    context: str | None = None,
) -> bytes:
    """The bytes of one publish, behind those of another."""
    parts: list[bytes] = [b"before"]
    envelopes = Envelopes(channel, frame_max)
    if context is None:
        envelopes.add(parts, exchange, key, message_id, body)
    else:
        envelopes.add_traced(parts, exchange, key, message_id, body, context=context)
    return b"".join(parts).removeprefix(b"before")


def _bytes(frame: object, channel: int) -> bytes:
    return bytes(pamqp.frame.marshal(frame, channel))  # type: ignore[arg-type]


def _settled(channel: int, tag: int, multiple: bool, accepted: bool) -> Piece:  # noqa: FBT001 - drawn, not written
    frame = commands.Basic.Ack(tag, multiple) if accepted else commands.Basic.Nack(tag, multiple, requeue=True)
    return _bytes(frame, channel), Settled(channel, tag, multiple, accepted)


def _closed(channel: int, code: int, text: str) -> Piece:
    kind = commands.Channel.Close if channel else commands.Connection.Close
    return _bytes(kind(code, text, 1, 2), channel), Closed(channel, code, text)


def _delivered(channel: int, tag: int, body: bytes) -> Piece:
    deliver = commands.Basic.Deliver("tag", tag, redelivered=False, exchange="e", routing_key="tick.A")
    header = ContentHeader(0, len(body), commands.Basic.Properties(message_id="1-2-3"))
    return b"".join(_bytes(frame, channel) for frame in (deliver, header, ContentBody(body))), None


def pieces() -> st.SearchStrategy[Piece]:
    """A frame's bytes and the event that it means, if it means one."""
    return st.one_of(
        st.builds(_settled, channels, tags, st.booleans(), st.booleans()),
        st.builds(_closed, st.just(0) | channels, st.integers(200, 600), texts),
        st.builds(_delivered, channels, tags, st.binary(max_size=300)),
        texts.map(lambda text: (_bytes(commands.Connection.Blocked(text), 0), Blocked(blocked=True))),
        st.just((_bytes(commands.Connection.Unblocked(), 0), Blocked(blocked=False))),
        st.just((_bytes(Heartbeat(), 0), None)),
    )


@given(st.lists(pieces(), max_size=12), st.data())
def test_events_are_found_however_the_bytes_are_cut(stream: list[Piece], data: st.DataObject) -> None:
    """A splitter finds the same events, in order, wherever the stream is cut into chunks."""
    splitter, found = FrameSplitter(), []
    rest = b"".join(frame for frame, _ in stream)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += splitter.feed(rest[:size])
        rest = rest[size:]
    assert found == [event for _, event in stream if event is not None]
    assert not splitter._rest


@given(st.lists(pieces(), min_size=1, max_size=4))
def test_an_event_comes_with_its_last_byte(stream: list[Piece]) -> None:
    """A splitter says nothing before a frame is complete, and keeps nothing after it is."""
    splitter = FrameSplitter()
    for frame, event in stream:
        found = [e for i in range(len(frame) - 1) for e in splitter.feed(frame[i : i + 1])]
        assert found == []
        assert splitter.feed(frame[-1:]) == ([] if event is None else [event])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_end_in_not_frames_at_worst(data: bytes) -> None:
    """Bytes that are no frames raise `NotFrames` or wait for more, and raise nothing else."""
    with suppress(NotFrames):
        FrameSplitter().feed(data)


def test_a_frame_of_impossible_size_is_refused_at_its_header() -> None:
    """A size above the limit is refused before its bytes are collected."""
    with pytest.raises(NotFrames, match="bytes"):
        FrameSplitter().feed(b"\x01\0\1" + (MAX_FRAME + 1).to_bytes(4, "big") + b"x")


def test_a_frame_without_its_end_is_refused() -> None:
    """A frame whose last byte is not 0xCE is refused."""
    with pytest.raises(NotFrames, match="ends in"):
        FrameSplitter().feed(_bytes(Heartbeat(), 0)[:-1] + b"\0")


def test_a_method_cut_short_inside_is_refused() -> None:
    """An ack whose frame is too small for its tag is refused as `NotFrames`."""
    with pytest.raises(NotFrames, match="method"):
        FrameSplitter().feed(b"\x01\0\1\0\0\0\x05\0\x3c\0\x50\x01\xce")


@given(
    channel=channels,
    key=st.text(max_size=60),
    identity=st.none() | st.text(min_size=1, max_size=60),
    body=st.binary(max_size=20_000),
    frame_max=st.integers(4_096, 8_192),
    context=st.none() | st.text(min_size=1, max_size=60),
)
def test_a_publish_is_what_pamqp_reads(
    *, channel: int, key: str, identity: str | None, body: bytes, frame_max: int, context: str | None
) -> None:
    """The bytes of a publish are the method, header and body frames that pamqp reads, none above frame_max."""
    data = publish_frames(
        channel,
        exchange="tickwire.ticks",
        key=key,
        message_id=identity,
        body=body,
        frame_max=frame_max,
        context=context,
    )
    frames = []
    while data:
        size, number, frame = pamqp.frame.unmarshal(data)
        assert (number, size <= frame_max) == (channel, True)
        frames.append(frame)
        data = data[size:]
    method, header, *bodies = frames
    assert isinstance(method, commands.Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory, method.immediate) == (
        "tickwire.ticks",
        key,
        False,
        False,
    )
    assert isinstance(header, ContentHeader)
    assert header.body_size == len(body)
    headers: FieldTable | None = None if context is None else {"traceparent": context}
    given = commands.Basic.Properties(delivery_mode=1, message_id=identity, headers=headers)
    assert dict(header.properties) == dict(given)
    assert b"".join(b.value for b in bodies if isinstance(b, ContentBody)) == body
    assert len(bodies) == -(-len(body) // (frame_max - 8))


def test_the_method_of_a_route_is_kept() -> None:
    """Messages of two routes, in turns, each have their own exchange and key."""
    envelopes, parts = Envelopes(3, 4_096), list[bytes]()
    routes = [("e", "tick.A"), ("e", "tick.B"), ("f", ""), ("e", "tick.A")]
    for exchange, key in routes:
        envelopes.add(parts, exchange, key, None, b"x")
    data, found = b"".join(parts), []
    while data:
        size, _, frame = pamqp.frame.unmarshal(data)
        if isinstance(frame, commands.Basic.Publish):
            found.append((frame.exchange, frame.routing_key))
        data = data[size:]
    assert found == routes


@given(channels, tags)
def test_an_ack_is_what_pamqp_reads(channel: int, tag: int) -> None:
    """The bytes of an ack settle everything up to a delivery tag."""
    size, number, frame = pamqp.frame.unmarshal(ack_frame(channel, tag))
    assert isinstance(frame, commands.Basic.Ack)
    assert (number, frame.delivery_tag, frame.multiple) == (channel, tag, True)
    assert size == len(ack_frame(channel, tag))


def test_the_method_frames_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound all are dropped and made anew, and what is written is the same."""
    monkeypatch.setattr(frames, "METHODS", 2)
    bounded, written = Envelopes(3, 4_096), list[bytes]()
    for n in (1, 2, 3, 1, 2, 3):
        bounded.add(written, "x", f"key-{n}", None, b"body")
        assert len(bounded._methods) <= 2
    fresh = list[bytes]()
    for n in (1, 2, 3, 1, 2, 3):
        Envelopes(3, 4_096).add(fresh, "x", f"key-{n}", None, b"body")
    assert b"".join(written) == b"".join(fresh)


def test_a_port_of_tls_is_recognised() -> None:
    """A stream that begins with a TLS alert is told from one that begins with frames, or with anything else."""
    with pytest.raises(SpeaksTls, match="amqps://"):
        check_first(b"\x15\x03\x03\x00\x02\x02\x0a")
    for first in (b"", b"AMQP\0\0\x09\x01", b"\x01\0\0", b"\x08", b"SSH-2.0"):
        check_first(first)
