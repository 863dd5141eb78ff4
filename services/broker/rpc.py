"""The codec of questions to history and of its answers (PURE).

A request is JSON.  A reply is one line of JSON, then the ticks of its answers, a newline between: their bytes are
those that clients see, and are neither decoded nor encoded on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import orjson

from services.broker.candlelog import rows_of, whole
from services.broker.history import PAGE_BYTES, Answer, CandleAnswer, CandleQuestion, Question
from services.errors import BadSymbol, MalformedMessage
from services.market.candle import STEPS
from services.market.day import Day
from services.market.position import Position
from services.market.symbol import parse_symbol

QUESTIONS: Final = 500
"""Most questions of one request; more travel in several."""
REPLY_BYTES: Final = PAGE_BYTES
"""A reply takes no further answer beyond so many bytes; one answer alone may be as long as it is."""
_QUEUE_BYTES: Final = 255
"""Of a queue's name, by AMQP."""

_new: Final = tuple.__new__
"""Makes a named tuple in half the time that its own constructor takes."""

Asked = Question | CandleQuestion
Told = Answer | CandleAnswer
_Ticks = tuple[tuple[Position, bytes], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What one asker wants to know at once.  Without any question it is a probe, and gets a reply without answers.

    *reply_to*: the queue of its replies.  *number*: tells its requests apart.
    """

    reply_to: str
    number: int
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """Some answers to the request *number*."""

    number: int
    told: tuple[Told, ...] = field(default=())


# ---------------------------------------------------------------------------------------------------- requests


def encode_request(request: Request) -> bytes:
    """Return the body of *request*."""
    questions = [_question_fields(q) for q in request.asked if isinstance(q, Question)]
    candles = [list(q) for q in request.asked if isinstance(q, CandleQuestion)]
    return orjson.dumps(
        {"reply": request.reply_to, "id": request.number, "questions": questions, "candles": candles}
    )


def decode_request(body: bytes) -> Request:
    """Return the request in *body*; questions about ticks come first.

    Raises:
        MalformedMessage: not JSON, a field that is missing or wrong, or more than `QUESTIONS` questions.
    """
    try:
        fields = orjson.loads(body)
        ticks, candles = _list(fields["questions"]), _list(fields["candles"])
        _at_most(QUESTIONS, len(ticks) + len(candles))
        asked: tuple[Asked, ...] = (*map(_question, ticks), *map(_candle_question, candles))
        return Request(_queue(fields["reply"]), whole(fields["id"]), asked)
    except (ValueError, KeyError, TypeError, IndexError, BadSymbol) as error:
        raise MalformedMessage(f"request to history: {error!r} in {body[:80]!r}") from error


# ----------------------------------------------------------------------------------------------------- replies


def encode_replies(number: int, told: Sequence[Told]) -> list[bytes]:
    """Return the bodies that carry *told*, each answer whole in one of them; without any answer one body."""
    return [_reply(number, part) for part in _parts(told)]


def decode_reply(body: bytes) -> Reply:
    """Return the reply in *body*.

    Raises:
        MalformedMessage: its first line is not what `encode_replies` writes, or the ticks are fewer or more.
    """
    head, _, ticks = body.partition(b"\n")
    try:
        fields = orjson.loads(head)
        lines = iter(ticks.split(b"\n") if ticks else ())
        answers = [_answer(row, lines) for row in _list(fields["answers"])]
        _none_left(lines)
        candles = [_candle_answer(row) for row in _list(fields["candles"])]
        return Reply(whole(fields["id"]), (*answers, *candles))
    except (ValueError, KeyError, TypeError, IndexError, BadSymbol) as error:
        raise MalformedMessage(f"reply of history: {error!r} in {body[:80]!r}") from error


def _reply(number: int, told: Sequence[Told]) -> bytes:
    answers = [a for a in told if isinstance(a, Answer)]
    header = {
        "id": number,
        "answers": [_answer_fields(a) for a in answers],
        "candles": [_candle_fields(a) for a in told if isinstance(a, CandleAnswer)],
    }
    return b"\n".join((orjson.dumps(header), *(line for a in answers for _, line in a.ticks)))


def _parts(told: Sequence[Told]) -> Iterator[Sequence[Told]]:
    part, size = list[Told](), 0
    for answer in told:
        more = _size(answer)
        if part and size + more > REPLY_BYTES:
            yield part
            part, size = [], 0
        part.append(answer)
        size += more
    if part or not told:
        yield part


def _size(answer: Told) -> int:
    """Return the bytes that count: ticks, or candles; the rest of an answer is its share of the header."""
    if isinstance(answer, CandleAnswer):
        return len(orjson.dumps(list(map(list, answer.candles))))
    return sum(len(line) for _, line in answer.ticks) + len(answer.ticks)


# ------------------------------------------------------------------------------------------------- their parts


def _question_fields(question: Question) -> list[Any]:
    return [question.symbol] if question.after is None else [question.symbol, *question.after]


def _question(row: object) -> Question:
    match row:
        case [symbol]:
            return Question(parse_symbol(symbol), None)
        case [symbol, epoch, seq]:
            return Question(parse_symbol(symbol), Position(whole(epoch), whole(seq)))
        case _:
            raise TypeError(f"a question is [symbol] or [symbol, epoch, seq], not {str(row)[:40]}")


def _candle_question(row: object) -> CandleQuestion:
    match row:
        case [symbol, step, since, limit] if step in STEPS:
            return CandleQuestion(parse_symbol(symbol), whole(step), whole(since), whole(limit))
        case _:
            raise TypeError(f"a question is [symbol, step of {STEPS}, since, limit], not {str(row)[:60]}")


def _answer_fields(answer: Answer) -> list[Any]:
    day = None if answer.day is None else [*answer.day[:-1], list(answer.day.at)]
    places = (None if place is None else list(place) for place in (answer.top, answer.forgot))
    return [_question_fields(answer.question), *places, day, _runs(answer.ticks)]


def _answer(row: object, lines: Iterator[bytes]) -> Answer:
    match row:
        case [question, top, forgot, day, runs]:
            ticks = tuple(_ticks(runs, lines))
            return Answer(_question(question), ticks, _position(top), _position(forgot), _day(day))
        case _:
            raise TypeError(f"an answer is [question, top, forgot, day, runs], not {str(row)[:40]}")


def _candle_fields(answer: CandleAnswer) -> list[Any]:
    top = None if answer.top is None else list(answer.top)
    rows = list(map(list, answer.candles))
    return [list(answer.question), rows, top, answer.clock, list(answer.partial)]


def _candle_answer(row: object) -> CandleAnswer:
    match row:
        case [question, candles]:  # of an earlier history, which states no position
            return CandleAnswer(_candle_question(question), rows_of(candles))
        case [question, candles, top, clock, partial]:
            starts = tuple(map(whole, _list(partial)))
            return CandleAnswer(_candle_question(question), rows_of(candles), _position(top), whole(clock), starts)
        case _:
            raise TypeError(f"an answer is [question, candles, top, clock, partial], not {str(row)[:40]}")


def _runs(ticks: _Ticks) -> list[list[int]]:
    """Return the positions as runs of consecutive ones: epoch, first seq, how many."""
    runs: list[list[int]] = []
    last = due = -1
    for (epoch, seq), _ in ticks:
        if seq == due and epoch == last:
            runs[-1][2] += 1
        else:
            runs.append([epoch, seq, 1])
        last, due = epoch, seq + 1
    return runs


def _ticks(runs: object, lines: Iterator[bytes]) -> Iterator[tuple[Position, bytes]]:
    for run in _list(runs):
        epoch, first, count = map(whole, _list(run))
        found = list(islice(lines, count))
        if len(found) < count:
            raise ValueError("fewer ticks than its answers have")
        for seq, line in enumerate(found, first):
            yield _new(Position, (epoch, seq)), line


def _day(row: object) -> Day | None:
    match row:
        case None:
            return None
        case [began, first, high, low, volume, decimals, at]:
            opened, highest, lowest = (None if p is None else whole(p) for p in (first, high, low))
            position = _position(at)
            if position is None:
                raise TypeError("a day without its position")
            return Day(whole(began), opened, highest, lowest, whole(volume), whole(decimals), position)
        case _:
            raise TypeError(f"a day has seven fields, not {str(row)[:40]}")


def _position(row: object) -> Position | None:
    match row:
        case None:
            return None
        case [epoch, seq]:
            return Position(whole(epoch), whole(seq))
        case _:
            raise TypeError(f"a position is [epoch, seq], not {str(row)[:40]}")


def _at_most(limit: int, questions: int) -> None:
    if questions > limit:
        raise ValueError(f"{questions} questions; at most {limit} are allowed")


def _none_left(lines: Iterator[bytes]) -> None:
    if next(lines, None) is not None:
        raise ValueError("more ticks than its answers have")


def _queue(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name.encode()) <= _QUEUE_BYTES:
        raise TypeError(f"a queue's name has 1 to {_QUEUE_BYTES} bytes, not {str(name)[:40]!r}")
    return name


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {type(value).__name__}")
    return value
