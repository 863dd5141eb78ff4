"""A page of ticks as an answer."""

from __future__ import annotations

from typing import Final

import orjson

from gateway.frames import GapReason
from gateway.wires.http.query import Form, TicksQuery
from gateway.wires.http.sheet import Hole, Sheet, Stretch
from gateway.wires.http.ticks import FULL_S, Writing
from services.broker.history import Answer, Question
from services.market.position import Position
from services.market.symbol import Symbol
from tests.listeners import line

A: Final = Symbol("AAPL")
AFTER: Final = Position(7, 1)
TICKS: Final = tuple((Position(7, seq), line(A, seq)) for seq in (2, 4))


def body(form: Form, limit: int = 2) -> bytes:
    """A page with a hole."""
    sheet, writing = Sheet(A, AFTER, limit), Writing(form)
    sheet.answer(Answer(Question(A, AFTER), TICKS, Position(7, 4), None))
    for stretch in sheet.written():
        writing.add(stretch)
    return b"".join(writing.content(TicksQuery(A, AFTER, limit), sheet, {}).pieces)


def test_json() -> None:
    """Each tick stands there as the producer wrote it, its epoch in front."""
    told = body(Form.JSON)
    assert b'"ticks":[{"epoch":7,' + line(A, 2)[1:] + b',{"epoch":7,' + line(A, 4)[1:] + b"]}" in told
    page = orjson.loads(told)
    assert (page["symbol"], page["epoch"], page["next"], page["more"]) == ("AAPL", 7, "7-4", False)
    assert page["gaps"] == [{"epoch": 7, "from": 3, "to": 3, "reason": "lost"}]


def test_table() -> None:
    """A table says a hole where it is, in a line without a price."""
    assert body(Form.CSV).decode().splitlines() == [
        "epoch,seq,ts,time,symbol,price,size,bid,ask,bid_size,ask_size,volume,gap_to,gap_reason",
        "7,2,1795000000000002,2026-11-18 11:06:40.000,AAPL,100.00,1,99.99,100.01,2,3,2,,",
        "7,3,,,,,,,,,,,3,lost",
        "7,4,1795000000000004,2026-11-18 11:06:40.000,AAPL,100.00,1,99.99,100.01,2,3,4,,",
    ]


def test_how_long_it_holds() -> None:
    """A full page after a position never changes; one that is not full, or has an unknown position, may."""
    for limit, after, holes, keep in (
        (2, AFTER, (), FULL_S),
        (3, AFTER, (), 0),
        (2, None, (), 0),
        (2, AFTER, ((0, Hole(9, 2, None, GapReason.UNKNOWN_POSITION)),), 0),
    ):
        sheet, writing = Sheet(A, AFTER, limit), Writing(Form.JSON)
        sheet.answer(Answer(Question(A, AFTER), TICKS, Position(7, 4), None))
        writing.add(Stretch((), holes))
        assert writing.content(TicksQuery(A, after, limit), sheet, {}).keep_s == keep


def test_the_way_on() -> None:
    """The next page is asked for like this one, from where this one ends."""
    sheet = Sheet(A, AFTER, 2)
    sheet.answer(Answer(Question(A, AFTER), TICKS, Position(7, 4), None))
    content = Writing(Form.CSV).content(TicksQuery(A, AFTER, 2), sheet, {"after": "7-1", "limit": "2"})
    assert content.link == "after=7-4&limit=2"
    assert content.name == "ticks-AAPL"
