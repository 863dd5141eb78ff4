"""What is taken out of a connection's bytes, against pamqp's idea of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from services.broker.rabbitmq.content import MAX_BODY, MAX_CONTEXT
from services.broker.rabbitmq.deliveries import Batch, Deliveries, Delivery, Entry, Shared, Wanted
from services.broker.rabbitmq.frames import MAX_FRAME, NotFrames
from services.market.symbol import Symbol
from services.market.wire import with_context

WANTED = {
    (1, b"tickwire-1"): Symbol("A"),
    (1, b"tickwire-2"): Symbol("BRK.B"),
    (2, b"tickwire-3"): Symbol("C"),
    (65_535, b"tickwire-4"): Symbol(""),
}
LOG = (2, b"log")
"""The consumer whose messages are acked."""
TAGS = ["log", "tickwire-1", "tickwire-2", "tickwire-3", "tickwire-4", "", "t" * 255]
Properties = commands.Basic.Properties
short = st.text(max_size=20)
texts = st.none() | short.filter(bool)

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
headers = st.dictionaries(
    short | st.just("traceparent"), st.integers(0, 2**31) | short | st.just(CONTEXT), min_size=1, max_size=3
)
properties = st.builds(
    Properties,
    content_type=texts,
    content_encoding=texts,
    headers=st.none() | headers,
    delivery_mode=st.none() | st.sampled_from([1, 2]),
    priority=st.none() | st.integers(1, 9),
    correlation_id=texts,
    reply_to=texts,
    expiration=texts,
    message_id=texts,
    timestamp=st.none() | st.just(datetime(2026, 11, 23, tzinfo=UTC)),
    message_type=texts,
    user_id=texts,
    app_id=texts,
)
bodies = st.lists(st.binary(min_size=1, max_size=60), max_size=3)
"""Body frames; pamqp refuses empty ones, which are legal."""


def marshalled(frame: object, channel: int) -> bytes:
    """The bytes of *frame*."""
    return bytes(pamqp.frame.marshal(frame, channel))  # type: ignore[arg-type]


def message(channel: int, tag: str, parts: Sequence[bytes], given: Properties, key: str = "tick.A") -> list[bytes]:
    """The frames of a delivery; an empty body has no body frame."""
    deliver = commands.Basic.Deliver(tag, 7, redelivered=False, exchange="tickwire.ticks", routing_key=key)
    frames = [deliver, ContentHeader(0, sum(map(len, parts)), given), *map(ContentBody, parts)]
    return [marshalled(frame, channel) for frame in frames]


def method(channel: int) -> list[bytes]:
    """A frame that only aiormq understands."""
    return [marshalled(commands.Queue.DeclareOk("q", 1, 2) if channel else Heartbeat(), channel)]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Frames in an order in which a broker may send them: one group after another per channel, channels mixed."""
    waiting: list[list[bytes]] = []
    for channel in draw(st.permutations([0, 1, 2, 3, 65_535])):
        groups = st.just(method(channel))
        if channel:
            one = st.builds(message, st.just(channel), st.sampled_from(TAGS), bodies, properties, short)
            groups = groups | one | one | one
        waiting.append([frame for group in draw(st.lists(groups, max_size=4)) for frame in group])
    stream: list[bytes] = []
    while waiting := [frames for frames in waiting if frames]:
        stream.append(draw(st.sampled_from(waiting)).pop(0))
    return stream


Result = tuple[list[Delivery], list[Entry], bytes]


def reference(stream: Sequence[bytes]) -> Result:
    """What pamqp reads: deliveries and acked entries that are wanted in the order completed, all other frames."""
    found: list[Delivery] = []
    entries: list[Entry] = []
    others = b""
    open_: dict[int, tuple[Symbol | None, str, list[ContentHeader], list[bytes]]] = {}
    for data in stream:
        _, channel, frame = pamqp.frame.unmarshal(data)
        if isinstance(frame, commands.Basic.Deliver):
            consumer = channel, str(frame.consumer_tag).encode()
            symbol = WANTED.get(consumer)
            if symbol is not None or consumer == LOG:
                open_[channel] = (symbol, str(frame.routing_key), [], [])
        if channel not in open_:
            others += data
            continue
        symbol, key, headers, parts = open_[channel]
        if isinstance(frame, ContentHeader):
            headers.append(frame)
        elif isinstance(frame, ContentBody):
            parts.append(frame.value or b"")
        if headers and len(b"".join(parts)) == headers[0].body_size:
            given, body = headers[0].properties, b"".join(parts)
            context = (given.headers or {}).get("traceparent")
            if symbol is None:
                entries.append((key, given.message_id, body))
            elif isinstance(context, str) and context:
                found.append((symbol, with_context(given.message_id or "", context), body))
            else:
                found.append((symbol, given.message_id, body))
            del open_[channel]
    return found, entries, others


def deliveries() -> Deliveries:
    """A parser that is asked for `WANTED` and `LOG`."""
    made = Deliveries()
    made.wanted.update({consumer: Wanted(symbol) for consumer, symbol in WANTED.items()})
    made.wanted[LOG] = Wanted(Symbol(""), print)
    return made


def lift(parser: Deliveries, data: bytes) -> Result:
    """Feed *data*; check what every batch must be."""
    found, batches, others = parser.feed(data)
    for reader, batch in batches:
        assert reader is print
        assert (batch.channel, batch.number) == (LOG[0], 7)
        assert batch.entries
    assert len(batches) <= 1
    return found, [entry for _, batch in batches for entry in batch.entries], others


def fed(stream: bytes, cuts: Sequence[int]) -> Result:
    """What comes out of *stream* cut at *cuts*."""
    parser, found, entries, others, at = deliveries(), list[Delivery](), list[Entry](), b"", 0
    for cut in (*sorted(cuts), len(stream)):
        some, read, rest = lift(parser, stream[at:cut])
        found, entries, others, at = found + some, entries + read, others + rest, cut
    assert not parser._rest
    return found, entries, others


@given(streams(), st.data())
def test_any_stream_cut_anywhere_gives_what_pamqp_reads(stream: list[bytes], data: st.DataObject) -> None:
    """Deliveries and the other bytes are those of the reference decoder, wherever the stream is cut."""
    whole = b"".join(stream)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=20))
    assert fed(whole, cuts) == reference(stream)


@given(streams())
def test_a_stream_byte_by_byte_gives_what_pamqp_reads(stream: list[bytes]) -> None:
    """A stream that comes a byte at a time gives the same."""
    whole = b"".join(stream)
    assert fed(whole, range(len(whole))) == reference(stream)


@given(streams())
def test_nothing_waits_once_its_last_byte_is_there(stream: list[bytes]) -> None:
    """After each frame all of it has come out that can: whole messages, and every other frame."""
    parser, found, entries, others = deliveries(), list[Delivery](), list[Entry](), b""
    for i, frame in enumerate(stream):
        assert lift(parser, frame[:-1]) == ([], [], b"")
        some, read, rest = lift(parser, frame[-1:])
        found, entries, others = found + some, entries + read, others + rest
        assert (found, entries, others) == reference(stream[: i + 1])


@given(streams(), st.data())
def test_a_damaged_stream_raises_not_frames_at_worst(stream: list[bytes], data: st.DataObject) -> None:
    """Bytes changed, dropped, doubled or inserted raise `NotFrames` or go on, and nothing else."""
    damaged = bytearray(b"".join(stream))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        end = at + data.draw(st.integers(0, 8))
        damaged[at:end] = data.draw(st.binary(max_size=8) | st.just(bytes(damaged[at:end]) * 2))
    parser, size = deliveries(), data.draw(st.integers(1, 200))
    with suppress(NotFrames):
        for at in range(0, len(damaged), size):
            parser.feed(bytes(damaged[at : at + size]))
    assert len(parser._rest) <= len(damaged)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_not_frames_at_worst(data: bytes) -> None:
    """Bytes that are no frames raise `NotFrames` or wait for more, behind a delivery's beginning too."""
    begun = message(1, "tickwire-1", [b"x"], Properties(message_id="1-2-3"))
    for prefix in (b"", begun[0], b"".join(begun[:2])):
        with suppress(NotFrames):
            deliveries().feed(prefix + data)


@pytest.mark.parametrize("size", [1, 100, 131_072 - 8, 300_000])
def test_a_body_of_several_frames_is_put_together(size: int) -> None:
    """A body is whole again, whether it took one frame or several, between frames of other channels."""
    body = bytes(i % 251 for i in range(size))
    parts = [body[i : i + 131_064] for i in range(0, size, 131_064)]
    between = method(0)[0] + b"".join(message(2, "nobody's", [b"other"], Properties()))
    frames = message(1, "tickwire-1", parts, Properties(delivery_mode=1, message_id="1-2-3"))
    found, _, others = deliveries().feed(between.join(frames))
    assert found == [(Symbol("A"), "1-2-3", body)]
    assert others == between * (len(frames) - 1)


def test_empty_body_frames_change_nothing() -> None:
    """Empty body frames before, between and after a body's bytes add nothing; one behind it is aiormq's."""
    begun, header, *body = message(1, "tickwire-1", [b"a", b"b"], Properties())
    empty = _raw(3, 1, b"")
    found, _, others = deliveries().feed(begun + header + empty + body[0] + empty + body[1] + empty)
    assert (found, others) == ([(Symbol("A"), None, b"ab")], empty)
    found, _, others = deliveries().feed(b"".join(message(1, "tickwire-1", [], Properties())) + empty)
    assert (found, others) == ([(Symbol("A"), None, b"")], empty)


def test_a_large_message_in_small_reads_is_not_copied_again_and_again() -> None:
    """A frame of 4 MiB that comes in 64,000 reads is put together once: 100 times its bytes would take seconds."""
    body = bytes(MAX_BODY)
    stream = b"".join(message(1, "tickwire-1", [body], Properties()))
    parser, found = deliveries(), list[Delivery]()
    for at in range(0, len(stream), 64):
        found += parser.feed(stream[at : at + 64])[0]
    assert [len(body) for _, _, body in found] == [MAX_BODY]


def _logged(number: int, offset: int, body: bytes = b"x") -> bytes:
    """An entry of a stream as RabbitMQ sends it: its offset is an int64 among the headers."""
    table = b"\x01aS\0\0\0\x02hi" + b"\x0fx-stream-offsetl" + offset.to_bytes(8, "big", signed=True)
    payload = b"\0\x3c\0\0" + len(body).to_bytes(8, "big") + (1 << 13 | 1 << 7).to_bytes(2, "big")
    payload += len(table).to_bytes(4, "big") + table + b"\x051-2-3"
    deliver = commands.Basic.Deliver("log", number, redelivered=False, exchange="e", routing_key="last.A")
    return marshalled(deliver, LOG[0]) + _raw(2, LOG[0], payload) + marshalled(ContentBody(body), LOG[0])


@pytest.mark.parametrize("cut", [None, 50, 150])
def test_a_batch_names_its_last_entry(cut: int | None) -> None:
    """An acked consumer gets a batch per read, with the delivery tag and the offset of its last entry."""
    parser = deliveries()
    stream = _logged(1, 40) + b"".join(message(1, "tickwire-1", [b"y"], Properties())) + _logged(2, 2**40)
    parts = [stream] if cut is None else [stream[:cut], stream[cut:]]
    batches: list[Batch] = []
    for part in parts:
        batches += [batch for _, batch in parser.feed(part)[1]]
    entry = ("last.A", "1-2-3", b"x")
    assert [e for batch in batches for e in batch.entries] == [entry, entry]
    assert (batches[-1].channel, batches[-1].number, batches[-1].offset) == (2, 2, 2**40)


def test_a_queue_has_no_offsets() -> None:
    """What an acked consumer gets from a queue has no offset."""
    ((_, batch),) = deliveries().feed(b"".join(message(2, "log", [b"x"], Properties(headers={"a": 1}))))[1]
    assert batch == Batch(2, [("tick.A", None, b"x")], 7, None)


@pytest.mark.parametrize("cut", [None, 40, 80])
def test_a_trace_context_stands_behind_the_identity(cut: int | None) -> None:
    """A header `traceparent` among others is found, in a message that comes whole or in pieces."""
    given = Properties(
        delivery_mode=1, message_id="1-2-3", headers={"x-first": True, "traceparent": CONTEXT, "x-last": 1.5}
    )
    stream, found, parser = b"".join(message(1, "tickwire-1", [b"x"], given)), list[Delivery](), deliveries()
    for part in [stream] if cut is None else [stream[:cut], stream[cut:]]:
        found += parser.feed(part)[0]
    assert found == [(Symbol("A"), f"1-2-3;{CONTEXT}", b"x")]


def test_who_reads_by_batches_gets_no_trace_context() -> None:
    """The log is read without contexts: a tick is traced from the producer to the gateway."""
    given = Properties(message_id="1-2-3", headers={"traceparent": CONTEXT})
    ((_, batch),) = deliveries().feed(b"".join(message(2, "log", [b"x"], given)))[1]
    assert batch.entries == [("tick.A", "1-2-3", b"x")]


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(b"\x0btraceparentI\0\0\0\x01", id="a-number"),
        pytest.param(b"\x0btraceparentS\0\0\0\0", id="empty"),
        pytest.param(b"\x0btraceparentS" + (MAX_CONTEXT + 1).to_bytes(4, "big") + b"0" * 513, id="too-long"),
        pytest.param(b"\x0btraceparentS\0\0\0\x0900-", id="longer-than-its-table"),
        pytest.param(b"\x01a?\x0btraceparentS\0\0\0\x0200", id="behind-an-unknown-type"),
        pytest.param(b"\x01aS\xff\xff\xff\xff", id="beyond-every-byte"),
        pytest.param(b"\x01a", id="no-value"),
        pytest.param(b"\x0b", id="no-name"),
        pytest.param(b"", id="no-header"),
    ],
)
def test_a_context_that_cannot_be_read_costs_no_tick(table: bytes) -> None:
    """A table of headers that holds no text of at most 512 bytes as `traceparent` counts as none."""
    payload = b"\0\x3c\0\0" + (1).to_bytes(8, "big") + (1 << 13 | 1 << 12 | 1 << 7).to_bytes(2, "big")
    payload += len(table).to_bytes(4, "big") + table + b"\x01\x051-2-3"
    stream = BEGUN + _raw(2, 1, payload) + marshalled(ContentBody(b"x"), 1)
    assert deliveries().feed(stream) == ([(Symbol("A"), "1-2-3", b"x")], [], b"")


def test_what_is_no_longer_wanted_goes_to_aiormq() -> None:
    """A consumer that is given up between two messages has its next one left in the stream."""
    parser = deliveries()
    frames = b"".join(message(1, "tickwire-1", [b"x"], Properties()))
    assert [body for _, _, body in parser.feed(frames)[0]] == [b"x"]
    del parser.wanted[(1, b"tickwire-1")]
    assert parser.feed(frames) == ([], [], frames)


def test_a_shared_consumers_messages_are_told_apart_by_their_keys() -> None:
    """A shared consumer's message is its routing key's, whole or in pieces; one by another key is the rest's."""
    rest, keys = list[Batch](), {"tick.A": Wanted(Symbol("A")), "tick.BRK.B": Wanted(Symbol("BRK.B"))}
    parser = Deliveries()
    parser.wanted[(1, b"t")] = Shared(keys, Wanted(Symbol(""), rest.append))
    sent = [
        *message(1, "t", [b"1"], Properties(message_id="i"), "tick.BRK.B"),
        *message(1, "t", [b"2", b"3"], Properties(), "tick.A"),
        *message(1, "t", [b"4"], Properties(message_id="j"), "tick.C"),
        *message(1, "t", [b"5"], Properties(), "tick.BRK"),
        *message(1, "t", [b"6"], Properties(), "tick.A"),
    ]
    found, batches, others = parser.feed(b"".join(sent))
    assert found == [("BRK.B", "i", b"1"), ("A", None, b"23"), ("A", None, b"6")]
    assert [batch.entries for _, batch in batches] == [[("tick.C", "j", b"4"), ("tick.BRK", None, b"5")]]
    assert others == b""
    del keys["tick.A"]
    assert parser.feed(b"".join(sent[3:6])).deliveries == []


@given(streams(), st.data())
def test_a_shared_consumer_gives_what_one_of_one_symbol_gives(stream: list[bytes], data: st.DataObject) -> None:
    """Where all keys are one symbol's, messages come as from that symbol's own consumer, cut anywhere."""
    whole = b"".join(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    shared = deliveries()
    for consumer, symbol in WANTED.items():
        shared.wanted[consumer] = Shared({}, Wanted(symbol))
    ends = [*cuts, len(whole)]
    found = [
        d for start, end in zip([0, *cuts], ends, strict=True) for d in shared.feed(whole[start:end]).deliveries
    ]
    assert found == deliveries().feed(whole).deliveries


def test_a_message_begun_while_wanted_is_completed() -> None:
    """A consumer that is given up inside a message leaves no half message to aiormq."""
    parser = deliveries()
    frames = message(1, "tickwire-1", [b"x"], Properties())
    parser.feed(frames[0])
    del parser.wanted[(1, b"tickwire-1")]
    assert parser.feed(b"".join(frames[1:])) == ([(Symbol("A"), None, b"x")], [], b"")


def _raw(kind: int, channel: int, payload: bytes, end: bytes = b"\xce") -> bytes:
    return bytes((kind,)) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + end


LOGGED, *_content = message(2, "log", [b"12345"], Properties(message_id="1-2-3"))
LOGGED_CONTENT = b"".join(_content)
BEGUN, HEADER, BODY = message(1, "tickwire-1", [b"12345"], Properties(message_id="1-2-3"))


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        pytest.param(b"\x01\0\1" + (MAX_FRAME + 1).to_bytes(4, "big"), "a frame of", id="huge-frame"),
        pytest.param(_raw(8, 0, b"", b"\0"), "ends in", id="no-end"),
        pytest.param(BEGUN + method(1)[0], "type 1 inside", id="method-inside"),
        pytest.param(BEGUN + BEGUN, "type 1 inside", id="delivery-inside"),
        pytest.param(BEGUN + BODY, "type 3 inside", id="body-before-header"),
        pytest.param(BEGUN + HEADER + HEADER, "type 2 inside", id="header-twice"),
        pytest.param(BEGUN + HEADER + _raw(3, 1, b"123456"), "6 bytes instead of 5", id="body-too-long"),
        pytest.param(BEGUN + _raw(2, 1, HEADER[7:-1].replace(b"\0\x3c", b"\0\x3d")), "class 61", id="class"),
        pytest.param(
            BEGUN + marshalled(ContentHeader(0, MAX_BODY + 1, Properties()), 1) + method(0)[0] * 4,
            "a message of",
            id="huge-message",
        ),
        pytest.param(BEGUN + _raw(2, 1, HEADER[7:-3]) + BODY, "cut short", id="header-cut-short"),
        pytest.param(BEGUN + _raw(2, 1, HEADER[7:15]), "cut short", id="header-without-flags"),
        pytest.param(_raw(1, 2, LOGGED[7:-2]) + LOGGED_CONTENT, "cut short", id="delivery-cut-short"),
        pytest.param(_raw(1, 1, BEGUN[7:22]), "cut short", id="delivery-ends-with-tag"),
    ],
)
def test_what_breaks_the_protocol_is_refused(stream: bytes, why: str) -> None:
    """Each breach of framing, order or size is told as `NotFrames`, in one read and byte by byte."""
    with pytest.raises(NotFrames, match=why):
        deliveries().feed(stream)
    with pytest.raises(NotFrames, match=why):
        fed(stream, range(len(stream)))


def test_a_second_word_of_flags_is_walked_over() -> None:
    """Property flags that announce another word (RabbitMQ sets none) do not shift the message_id."""
    flags = (1 << 7 | 1).to_bytes(2, "big") + b"\0\0"
    header = _raw(2, 1, HEADER[7:19] + flags + b"\x051-2-3")
    found, _, others = deliveries().feed(BEGUN + header + BODY)
    assert (found, others) == ([(Symbol("A"), "1-2-3", b"12345")], b"")


def test_text_that_is_not_utf_8_does_not_end_a_connection() -> None:
    """A message_id of arbitrary bytes is replaced by what no codec of ours accepts."""
    header = _raw(2, 1, HEADER[7:-1].replace(b"1-2-3", b"\xff-2-3"))
    found, _, _ = deliveries().feed(BEGUN + header + BODY)
    assert [identity for _, identity, _ in found] == ["\ufffd-2-3"]
