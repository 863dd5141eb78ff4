"""Quotes as an answer."""

from __future__ import annotations

import dataclasses
from typing import Final

import orjson

from gateway.frames import NoSnapshot
from gateway.glance import Glance
from gateway.tape import Tape
from gateway.wires.http.query import Form
from gateway.wires.http.quotes import MOST_DAYS, Days, Quote, quote, quotes
from services.broker.history import Answer, Question
from services.market.day import Day
from services.market.directory import Instrument, SessionState
from services.market.position import Position
from services.market.symbol import Symbol
from tests.listeners import line

A: Final = Symbol("AAPL")
APPLE: Final = Instrument(A, "Apple Inc.", "SIM", "USD", 2, 1, 26_850, SessionState.OPEN, 5)
DAY: Final = Day(1, 10_000, 10_050, 9_990, 300, 2, Position(7, 4))
NOBODY: Final = Glance(bound=False, tape=None, mark=None)


def told(seq: int | None, day: Day | None = DAY) -> Answer:
    """What history says: its last tick is *seq*."""
    ticks = () if seq is None else ((Position(7, seq), line(A, seq)),)
    return Answer(Question(A, None), ticks, ticks[0][0] if ticks else None, None, day)


def live(seq: int, *, mark: int | None = None) -> Glance:
    """A followed symbol whose newest tick is *seq*."""
    tape = Tape()
    tape.add(7, seq, [line(A, seq)], 100)
    return Glance(bound=True, tape=tape, mark=None if mark is None else Position(7, mark))


def test_the_newest_counts() -> None:
    """Of tape and history the later tick is told."""
    for glance, answer, seq in (
        (NOBODY, told(5), 5),
        (live(6), told(5), 6),
        (live(4), told(5), 5),
        (live(4), None, 4),
    ):
        found = quote(APPLE, glance, answer)
        assert found.tick == (Position(7, seq), line(A, seq))


def test_missing() -> None:
    """Never traded is what history has nothing of; where nobody knows, that is said instead."""
    assert quote(APPLE, NOBODY, told(None)).missing is NoSnapshot.NEVER_TRADED
    assert quote(APPLE, NOBODY, None).missing is NoSnapshot.UNAVAILABLE
    marked = Glance(bound=False, tape=None, mark=Position(7, 3))
    assert quote(APPLE, marked, told(None)).missing is NoSnapshot.UNAVAILABLE


def test_json() -> None:
    """A tick stands there as the producer wrote it, its epoch and day beside it; who has none has a reason."""
    found = [
        quote(APPLE, NOBODY, told(5)),
        quote(APPLE.__class__(Symbol("IBM"), *_rest()), NOBODY, told(None, None)),
    ]
    body = quotes(found, Form.JSON, Days()).pieces[0]
    assert b'"tick":' + line(A, 5) + b"," in body
    assert (
        b'"previous_close":268.50,"epoch":7,"seq":4,"open":100.00,"high":100.50,"low":99.90,"volume":300' in body
    )
    answer = orjson.loads(body)
    assert answer.keys() == {"quotes", "missing"}
    assert answer["quotes"].keys() == {"AAPL"}
    assert answer["quotes"]["AAPL"]["epoch"] == 7
    assert answer["missing"] == {"IBM": "never_traded"}


def _rest() -> tuple[str, str, str, int, int, int, SessionState, int]:
    return "IBM", "SIM", "USD", 2, 1, 100, SessionState.CLOSED, 5


def test_a_day_that_nobody_knows() -> None:
    """Without history the figures of the day are null, and what the directory knows is there."""
    day = orjson.loads(quotes([quote(APPLE, live(6), None)], Form.JSON, Days()).pieces[0])["quotes"]["AAPL"]["day"]
    assert day == {
        "session": "open",
        "previous_close": 268.5,
        "epoch": None,
        "seq": None,
        "open": None,
        "high": None,
        "low": None,
        "volume": None,
    }


def test_table() -> None:
    """A table has a line per symbol, digits as they are on the wire; without a tick there is a reason."""
    found = [quote(APPLE, NOBODY, told(5)), Quote(APPLE, None, None, NoSnapshot.NEVER_TRADED)]
    head, apple, nothing = quotes(found, Form.CSV, Days()).pieces[0].decode().splitlines()
    assert head == (
        "symbol,epoch,seq,ts,time,price,size,bid,ask,bid_size,ask_size,volume,"
        "open,high,low,previous_close,session,missing"
    )
    tick = "7,5,1795000000000005,2026-11-18 11:06:40.000,100.00,1,99.99,100.01,2,3,5"
    assert apple == f"AAPL,{tick},100.00,100.50,99.90,268.50,open,"
    assert nothing == "AAPL,,,,,,,,,,,,,,,268.50,open,never_traded"


def test_a_day_that_changes() -> None:
    """A day is written anew where its figures or the directory's have changed, and not otherwise."""
    days, later = Days(), DAY._replace(high=10_060)
    first = days.text(APPLE, DAY)
    assert days.text(APPLE, DAY) is first
    assert b'"high":100.60' in days.text(APPLE, later)
    halted = dataclasses.replace(APPLE, session=SessionState.HALTED)
    assert b'"session":"halted"' in days.text(halted, later)
    assert days.text(APPLE, DAY) == first


def test_days_are_bounded() -> None:
    """Not more days are remembered than may be."""
    days = Days()
    for n in range(MOST_DAYS + 5):
        days.text(dataclasses.replace(APPLE, symbol=Symbol(f"S{n}")), None)
    assert len(days._written) == 5
