"""What the HTTP wire answers, said by its own code: the examples of the OpenAPI document.  Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from gateway.glance import Glance
from gateway.wires.http import candles, listing, quotes, ticks
from gateway.wires.http.answer import Content
from gateway.wires.http.query import CandlesQuery, Form, TicksQuery
from gateway.wires.http.sheet import Sheet
from gateway.wires.spec.samples import AAPL, APPLE, DAY, GROWING, LINE, MOMENT, TRADE
from services.broker.history import Answer, Question
from services.market.position import Position

BEFORE: Final = Position(MOMENT.epoch, TRADE.seq - 1)
AT: Final = Position(MOMENT.epoch, TRADE.seq)
NOTHING: Final = Glance(bound=False, tape=None, mark=None)


class Sample(NamedTuple):
    """One answer in both forms."""

    json: Any
    csv: str


def directory() -> Sample:
    """Return an answer of `/v1/symbols`."""
    page = listing.Listed((APPLE,), None)
    return _sample(lambda form: listing.listing(page, form, {}))


def quoted() -> Sample:
    """Return an answer of `/v1/quotes`."""
    found = quotes.quote(APPLE, NOTHING, Answer(Question(AAPL, None), ((AT, LINE),), AT, None, DAY))
    return _sample(lambda form: quotes.quotes([found], form, quotes.Days()))


def past() -> Sample:
    """Return an answer of `/v1/ticks/{symbol}`."""

    def content(form: Form) -> Content:
        query, sheet, writing = TicksQuery(AAPL, BEFORE, 100), Sheet(AAPL, BEFORE, 100), ticks.Writing(form)
        sheet.answer(Answer(Question(AAPL, BEFORE), ((AT, LINE),), AT, None))
        for stretch in sheet.written():
            writing.add(stretch)
        return writing.content(query, sheet, {})

    return _sample(content)


def charted() -> Sample:
    """Return an answer of `/v1/candles/{symbol}`."""
    query = CandlesQuery(AAPL, "1m", 300)
    return _sample(lambda form: candles.candles(query, [GROWING], form, MOMENT.us))


def _sample(content: Callable[[Form], Content]) -> Sample:
    return Sample(orjson.loads(b"".join(content(Form.JSON).pieces)), b"".join(content(Form.CSV).pieces).decode())
