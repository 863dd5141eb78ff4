"""Candles as an answer."""

from __future__ import annotations

from typing import Final

import orjson

from gateway.wires.http.candles import MOST_DRAWN, SETTLED_S, Drawing, asked, candles
from gateway.wires.http.query import CandlesQuery, Form
from services.market.candle import Candle
from services.market.symbol import Symbol

A: Final = Symbol("AAPL")
QUERY: Final = CandlesQuery(A, "1m", 2)
NOON: Final = 1_795_000_020_000_000


def candle(start: int) -> Candle:
    """A candle of a minute."""
    return Candle(A, 60, start, 0, 17, 10_000, 10_050, 9_990, 10_010, 300, 4, 2)


FOUND: Final = [candle(NOON + n * 60_000_000) for n in range(3)]


def test_json() -> None:
    """The newest come, oldest first, prices with all their decimals; the last one may still grow."""
    content = candles(QUERY, FOUND, Form.JSON, NOON + 125_000_000)
    assert b'"open":100.00,"high":100.50,"low":99.90,"close":100.10' in content.pieces[0]
    told = orjson.loads(content.pieces[0])
    assert (told["symbol"], told["interval"]) == ("AAPL", "1m")
    assert [(each["start"], each["epoch"], each["complete"]) for each in told["candles"]] == [
        (NOON + 60_000_000, 17, True),
        (NOON + 120_000_000, 17, False),
    ]


def test_settled() -> None:
    """A candle that nothing can change any more is complete, though no later one is known."""
    end = NOON + 180_000_000 + SETTLED_S * 1_000_000
    for now, complete in ((end - 1, False), (end, True)):
        told = orjson.loads(candles(QUERY, FOUND, Form.JSON, now).pieces[0])
        assert told["candles"][-1]["complete"] is complete


def test_table() -> None:
    """A table has a line per candle."""
    text = candles(CandlesQuery(A, "1m", 1), FOUND, Form.CSV, NOON).pieces[0].decode()
    assert text.splitlines() == [
        "start,time,epoch,open,high,low,close,volume,trades,complete",
        "1795000140000000,2026-11-18 11:09:00.000,17,100.00,100.50,99.90,100.10,300,4,false",
    ]


def test_nothing_yet() -> None:
    """A symbol that never traded has no candles."""
    assert orjson.loads(candles(QUERY, (), Form.JSON, NOON).pieces[0])["candles"] == []


def test_sizes() -> None:
    """History is asked for one of three sizes, so that many share an answer."""
    assert [asked(limit) for limit in (1, 100, 101, 300, 301, 500)] == [100, 100, 300, 300, 500, 500]


def test_drawn_once() -> None:
    """The same candles are written once; other ones, or a last one that is complete now, are written anew."""
    drawing = Drawing()
    first = drawing.content(QUERY, FOUND, Form.JSON, NOON)
    assert drawing.content(QUERY, FOUND, Form.JSON, NOON + 1) is first
    assert drawing.content(QUERY, FOUND, Form.CSV, NOON) != first
    assert drawing.content(QUERY, list(FOUND[:2]), Form.JSON, NOON) != first
    later = drawing.content(QUERY, FOUND, Form.JSON, NOON + 10**12)
    assert b'"complete":false' not in later.pieces[0]


def test_drawings_are_bounded() -> None:
    """The answer that was not asked for longest goes."""
    drawing = Drawing()
    for limit in range(MOST_DRAWN + 5):
        drawing.content(CandlesQuery(A, "1m", limit + 1), FOUND, Form.JSON, NOON)
    assert len(drawing._drawn) == MOST_DRAWN
