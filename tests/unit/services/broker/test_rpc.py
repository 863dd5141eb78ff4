"""The codec of requests to history and of its replies."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.broker.history import PAGE_BYTES, Answer, CandleAnswer, CandleQuestion, Question
from services.broker.rpc import (
    QUESTIONS,
    Asked,
    Reply,
    Request,
    Told,
    decode_reply,
    decode_request,
    encode_replies,
    encode_request,
)
from services.errors import MalformedMessage
from services.market.position import Position
from services.market.symbol import Symbol
from tests.histories import answers, candle_answers, candle_questions, questions
from tests.listeners import line

A, B = Symbol("A"), Symbol("B")
NUMBERS = st.integers(0, 2**53 - 1)


def page(symbol: Symbol, size: int) -> Answer:
    """An answer of ticks of one byte less than *size* in all: one newline comes with them."""
    return Answer(Question(symbol, Position(1, 0)), ((Position(1, 1), b"x" * (size - 1)),), Position(1, 1), None)


@given(st.text(min_size=1, max_size=60), NUMBERS, st.lists(questions(), max_size=9), st.lists(candle_questions()))
def test_a_request_comes_back(
    queue: str, number: int, asked: list[Question], candles: list[CandleQuestion]
) -> None:
    """A request is decoded as it was encoded, the questions about ticks first."""
    request = Request(queue, number, (*asked, *candles))
    assert decode_request(encode_request(request)) == request


@given(NUMBERS, st.lists(st.one_of(answers(), candle_answers())))
def test_replies_come_back(number: int, told: list[Told]) -> None:
    """The replies to one request carry each answer once and whole, ticks byte for byte."""
    replies = [decode_reply(body) for body in encode_replies(number, told)]
    assert {reply.number for reply in replies} == {number}
    found = [answer for reply in replies for answer in reply.told]
    for kind in (Answer, CandleAnswer):
        assert [a for a in found if isinstance(a, kind)] == [a for a in told if isinstance(a, kind)]


def test_a_probe_is_answered_without_answers() -> None:
    """A request without questions is legal, and so is the one reply to it."""
    assert decode_request(encode_request(Request("q", 3, ()))) == Request("q", 3, ())
    (body,) = encode_replies(3, [])
    assert decode_reply(body) == Reply(3)


def test_ticks_travel_as_their_bytes() -> None:
    """A reply ends in the very bytes of its ticks, a newline between, behind one line of header."""
    lines = [line("A", seq) for seq in (5, 6, 9)]
    ticks = tuple((Position(4, seq), text) for seq, text in zip((5, 6, 9), lines, strict=True))
    (body,) = encode_replies(1, [Answer(Question(A, Position(4, 2)), ticks, Position(4, 9), Position(4, 1))])
    head, *rest = body.split(b"\n")
    assert rest == lines
    assert orjson.loads(head)["answers"] == [[["A", 4, 2], [4, 9], [4, 1], None, [[4, 5, 2], [4, 9, 1]]]]


def test_a_reply_takes_no_more_than_64_kib() -> None:
    """Answers share a reply up to 64 KiB of ticks; each is whole in one, a larger one alone."""
    half = PAGE_BYTES // 2
    told = [page(A, half), page(B, half), page(A, 10), page(B, PAGE_BYTES + 500), page(A, 10)]
    shares = [decode_reply(body).told for body in encode_replies(1, told)]
    assert shares == [(told[0], told[1]), (told[2],), (told[3],), (told[4],)]


@given(st.binary(max_size=60))
def test_bytes_of_others_are_malformed(body: bytes) -> None:
    """Any other bytes are refused by both decoders."""
    with pytest.raises(MalformedMessage, match="request to history: "):
        decode_request(body)
    with pytest.raises(MalformedMessage, match="reply of history: "):
        decode_reply(body)


@given(st.lists(st.one_of(answers(), candle_answers()), max_size=3), st.data())
def test_a_damaged_reply_is_read_or_malformed(told: list[Told], data: st.DataObject) -> None:
    """A reply of which one byte is another, or the end is missing, raises nothing else than MalformedMessage."""
    body = bytearray(encode_replies(1, told)[0])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(body)))
    with suppress(MalformedMessage):
        assert decode_reply(bytes(body)).number >= 0
    with suppress(MalformedMessage):
        assert decode_reply(bytes(body[:cut])).number >= 0


@given(st.lists(st.one_of(questions(), candle_questions()), max_size=3), st.data())
def test_a_damaged_request_is_read_or_malformed(asked: list[Asked], data: st.DataObject) -> None:
    """A request of which one byte is another raises nothing else than MalformedMessage."""
    body = bytearray(encode_request(Request("amq.gen-x", 1, tuple(asked))))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    with suppress(MalformedMessage):
        assert len(decode_request(bytes(body)).asked) == len(asked)


def request_with(**fields: object) -> bytes:
    """The body of a request of which *fields* are others."""
    return orjson.dumps({"reply": "q", "id": 1, "questions": [["A"]], "candles": [["A", 60, 0, 9]], **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"reply": ""},
        {"reply": "q" * 256},
        {"reply": 7},
        {"id": -1},
        {"id": True},
        {"questions": None},
        {"questions": [["a"]]},
        {"questions": [["A", 1]]},
        {"questions": [["A", 1, -2]]},
        {"questions": ["A"]},
        {"candles": [["A", 61, 0, 9]]},
        {"candles": [["A", [], 0, 9]]},
        {"candles": [["A", 60, 0]]},
        {"questions": [["A"]] * QUESTIONS},
    ],
)
def test_a_wrong_field_of_a_request_is_malformed(fields: dict[str, object]) -> None:
    """A request with a missing, wrong or excessive field is refused."""
    assert decode_request(request_with()).number == 1
    with pytest.raises(MalformedMessage):
        decode_request(request_with(**fields))


def reply_with(ticks: bytes = b"\nx", **fields: object) -> bytes:
    """The body of a reply of which *fields* are others."""
    answer = [["A", 1, 2], [1, 3], None, None, [[1, 3, 1]]]
    return orjson.dumps({"id": 1, "answers": [answer], "candles": [], **fields}) + ticks


DAY = [0, 1, 2, 3, 4, 2, [1, 3]]


@pytest.mark.parametrize(
    ("ticks", "fields"),
    [
        (b"", {}),
        (b"\nx\ny", {}),
        (b"\nx", {"answers": []}),
        (b"\nx", {"id": "1"}),
        (b"\nx", {"answers": [[["A"], [1, 3], None, None]]}),
        (b"\nx", {"answers": [[["A"], [1], None, None, [[1, 3, 1]]]]}),
        (b"\nx", {"answers": [[["A"], None, None, None, [[1, 3]]]]}),
        (b"\nx", {"answers": [[["A"], None, None, None, [[1, 3, 2**62]]]]}),
        (b"\nx", {"answers": [[["A"], None, None, DAY[:-1], [[1, 3, 1]]]]}),
        (b"\nx", {"answers": [[["A"], None, None, [*DAY[:-1], None], [[1, 3, 1]]]]}),
        (b"\nx", {"candles": [[["A", 60, 0, 9], [["A"]]]]}),
        (b"\nx", {"candles": [[["A", 60, 0, 9]]]}),
        (b"\nx", {"candles": [[["A", 60, 0, 9], 5]]}),
    ],
)
def test_a_wrong_reply_is_malformed(ticks: bytes, fields: dict[str, object]) -> None:
    """A reply with a wrong field, or other ticks than it announces, is refused."""
    assert decode_reply(reply_with()).number == 1
    with pytest.raises(MalformedMessage):
        decode_reply(reply_with(ticks, **fields))


def test_a_day_may_have_no_trade_yet() -> None:
    """A day comes back with its prices None."""
    asked: Asked = Question(A, None)
    row = [["A"], [1, 3], None, [0, None, None, None, 4, 2, [1, 3]], []]
    (answer,) = decode_reply(reply_with(b"", answers=[row])).told
    assert isinstance(answer, Answer)
    assert (answer.question, answer.day and answer.day.open) == (asked, None)


def test_an_earlier_history_is_understood() -> None:
    """An answer about candles without a position, as an earlier history gives it, is one of unknown top."""
    body = b'{"id":1,"answers":[],"candles":[[["A",60,0,5],[]]]}'
    assert decode_reply(body) == Reply(1, (CandleAnswer(CandleQuestion(A, 60, 0, 5), (), None),))
