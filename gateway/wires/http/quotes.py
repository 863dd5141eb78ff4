"""Quotes: the newest tick of each symbol, as the producer encoded it, and its day.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from gateway.frames import NoSnapshot
from gateway.glance import Glance
from gateway.wires.http.answer import Content
from gateway.wires.http.query import Form
from gateway.wires.http.table import moment, rows
from services.broker.history import Answer
from services.market.day import Day
from services.market.directory import Instrument
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import format_price, read_values

QUOTES_S: Final = 1
"""Seconds that caches may answer with quotes: however many ask, one a second comes here."""

MOST_DAYS: Final = 20_000
"""Symbols whose day is remembered as it is written, 300 bytes each; beyond them all are written anew."""

_HEAD: Final = (
    "symbol", "epoch", "seq", "ts", "time", "price", "size", "bid", "ask", "bid_size", "ask_size", "volume",
    "open", "high", "low", "previous_close", "session", "missing",
)  # fmt: skip
_TICK_CELLS: Final = 10
"""From `epoch` to `volume`, without the time."""


class Quote(NamedTuple):
    """What is known of one symbol now."""

    instrument: Instrument
    tick: tuple[Position, bytes] | None
    day: Day | None
    """None: history did not say."""
    missing: NoSnapshot | None
    """Why there is no tick."""


def quote(instrument: Instrument, glance: Glance, answer: Answer | None) -> Quote:
    """Return the newest that the tape (*glance*) and history (None: no answer) know of a symbol."""
    told = answer.ticks[-1] if answer is not None and answer.ticks else None
    known = [tick for tick in (glance.newest, told) if tick is not None]
    tick = max(known, key=lambda each: each[0], default=None)
    day = None if answer is None else answer.day
    if tick is not None:
        return Quote(instrument, tick, day, None)
    late = answer is None or _is_late(glance)
    return Quote(instrument, None, day, NoSnapshot.UNAVAILABLE if late else NoSnapshot.NEVER_TRADED)


class Days:
    """Days as they are written: 4 µs each, and a poller asks for the same ones many times a second."""

    def __init__(self) -> None:
        self._written: dict[Symbol, tuple[Instrument, Day | None, bytes]] = {}

    def text(self, instrument: Instrument, day: Day | None) -> bytes:
        """Return the day of *instrument* as the frame `day` of the native wire has it."""
        written = self._written.get(instrument.symbol)
        if written is not None and written[0] is instrument and written[1] is day:
            return written[2]
        if len(self._written) >= MOST_DAYS:
            self._written.clear()
        text = _day(instrument, day)
        self._written[instrument.symbol] = (instrument, day, text)
        return text


def quotes(found: Sequence[Quote], form: Form, days: Days) -> Content:
    """Return *found* as an answer."""
    body = _table(found) if form is Form.CSV else _json(found, days)
    return Content((body,), form, "quotes", QUOTES_S)


def _is_late(glance: Glance) -> bool:
    """Whether a heartbeat names a tick of the symbol, though history has not read any."""
    return glance.mark is not None and glance.mark.seq > 0


def _json(found: Iterable[Quote], days: Days) -> bytes:
    missing = {each.instrument.symbol: each.missing.value for each in found if each.missing is not None}
    told = b",".join(
        b'"%b":%b' % (each.instrument.symbol.encode(), _fields(each, *each.tick, days))
        for each in found
        if each.tick
    )
    return b'{"quotes":{%b},"missing":%b}' % (told, orjson.dumps(missing))


def _fields(each: Quote, position: Position, line: bytes, days: Days) -> bytes:
    return b'{"epoch":%d,"tick":%b,"day":%b}' % (position.epoch, line, days.text(each.instrument, each.day))


def _day(instrument: Instrument, day: Day | None) -> bytes:
    close = format_price(instrument.previous_close, instrument.decimals)
    if day is None:
        figures = '"epoch":null,"seq":null,"open":null,"high":null,"low":null,"volume":null'
    else:
        opened, high, low = (price or "null" for price in _prices(day))
        figures = (
            f'"epoch":{day.at.epoch},"seq":{day.at.seq},"open":{opened},"high":{high},"low":{low},'
            f'"volume":{day.volume}'
        )
    return f'{{"session":"{instrument.session}","previous_close":{close},{figures}}}'.encode()


def _prices(day: Day) -> tuple[str | None, ...]:
    prices = (day.open, day.high, day.low)
    return tuple(None if price is None else format_price(price, day.decimals) for price in prices)


def _table(found: Iterable[Quote]) -> bytes:
    return rows([_HEAD, *map(_row, found)])


def _row(each: Quote) -> Sequence[object]:
    instrument, tick, day, missing = each
    prices = (None, None, None) if day is None else _prices(day)
    close = format_price(instrument.previous_close, instrument.decimals)
    tail = (*prices, close, instrument.session.value, missing)
    if tick is None:
        return (instrument.symbol, *[None] * (_TICK_CELLS + 1), *tail)
    return (instrument.symbol, *_cells(*tick), *tail)


def _cells(position: Position, line: bytes) -> tuple[object, ...]:
    """Return epoch, seq, ts, time, price and the rest up to volume, digits as they are on the wire."""
    _, ts, _, *rest = (value.decode() for value in read_values(line))
    return (position.epoch, position.seq, ts, moment(int(ts)), *rest)
