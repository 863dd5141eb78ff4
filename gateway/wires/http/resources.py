"""What can be asked for: each method collects what a pure module then answers with."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.glance import Glance
from gateway.wires.http import gate
from gateway.wires.http.answer import Content
from gateway.wires.http.archive import Archive
from gateway.wires.http.candles import Drawing, asked
from gateway.wires.http.doubts import Doubts
from gateway.wires.http.front import Visit
from gateway.wires.http.listing import Index, listed, listing
from gateway.wires.http.pace import Pace
from gateway.wires.http.query import (
    TicksQuery,
    candles_query,
    quotes_query,
    symbols_query,
    ticks_query,
)
from gateway.wires.http.quotes import Days, quote, quotes
from gateway.wires.http.sheet import Sheet
from gateway.wires.http.ticks import Writing
from services.broker.history import CandleQuestion
from services.errors import HistoryUnavailable
from services.market.directory import Directory, Instrument
from services.market.symbol import Symbol
from services.runtime.clock import Clock


class MarketFeed(Protocol):
    """The part of the feed that is asked: `gateway.feed.Feed`."""

    @property
    def directory(self) -> Directory:
        """What is known of the symbols."""
        ...

    @property
    def directory_due(self) -> bool:
        """Whether a directory that may name more is still to come."""
        ...

    def glance(self, symbol: Symbol) -> Glance:
        """What is known here of a symbol at this moment."""
        ...


class Resources:
    """The four resources.  *rates* counts for tokens with a rate, *past* ticks of the past."""

    def __init__(
        self, feed: MarketFeed, archive: Archive, clock: Clock, doubts: Doubts, *, rates: Pace, past: Pace
    ) -> None:
        self._feed, self._archive, self._clock, self._doubts = feed, archive, clock, doubts
        self._rates, self._past = rates, past
        self._index, self._days, self._drawing = Index(), Days(), Drawing()

    async def symbols(self, visit: Visit) -> Content:
        """The directory, as far as the client may follow it."""
        query = symbols_query(visit.parameters)
        gate.known(self._feed.directory)
        page = listed(self._feed.directory, self._index, query, visit.entitlement)
        return listing(page, visit.form, visit.parameters.asked)

    async def quotes(self, visit: Visit) -> Content:
        """The newest ticks of some symbols."""
        query, now, rate = quotes_query(visit.parameters), self._clock.monotonic(), visit.entitlement.max_rate
        found = self._instruments(query.symbols, visit, "symbols")
        if rate is not None:
            gate.keep_pace(self._rates.wait(visit.client, now, 1 / rate), "The token allows no more a second.")
            self._rates.spend(visit.client, now, 1 / rate)
        answers = await self._archive.last((s, self._feed.glance(s).current) for s in query.symbols)
        told = [quote(each, self._feed.glance(each.symbol), answers.get(each.symbol)) for each in found]
        gate.some(told)
        return quotes(told, visit.form, self._days)

    async def ticks(self, visit: Visit) -> Content:
        """Ticks after a position, or the newest ones."""
        query = ticks_query(visit.symbol, visit.parameters)
        gate.every_tick(visit.entitlement)
        self._instruments((query.symbol,), visit, "symbol")
        sheet, writing = Sheet(query.symbol, query.after, query.limit), Writing(visit.form)
        try:
            await self._fill(sheet, writing, query, visit.client)
            if sheet.ahead and query.after is not None:
                now = self._clock.monotonic()
                if self._doubts.unknown(query.symbol, query.after, now):
                    sheet.give_up()
                    await self._fill(sheet, writing, query, visit.client)
        finally:
            if sheet.asked:
                amount = sheet.remembered + sheet.asked * gate.QUESTION_TICKS
                self._past.spend(visit.client, self._clock.monotonic(), amount)
        return writing.content(query, sheet, visit.parameters.asked)

    async def candles(self, visit: Visit) -> Content:
        """The newest candles of a symbol."""
        query = candles_query(visit.symbol, visit.parameters)
        self._instruments((query.symbol,), visit, "symbol")
        question = CandleQuestion(query.symbol, query.step, 0, asked(query.limit))
        try:
            answer = await self._archive.candles(question)
        except HistoryUnavailable:
            raise gate.no_history() from None
        return self._drawing.content(query, answer.candles, visit.form, self._clock.wall_us())

    def _instruments(self, symbols: tuple[Symbol, ...], visit: Visit, parameter: str) -> list[Instrument]:
        feed, entitlement = self._feed, visit.entitlement
        return gate.instruments(symbols, feed.directory, entitlement, due=feed.directory_due, parameter=parameter)

    async def _fill(self, sheet: Sheet, writing: Writing, query: TicksQuery, client: str) -> None:
        """Let *sheet* have what it asks for, and write it; each piece is a turn of the loop of its own."""
        while (question := sheet.next(self._feed.glance(query.symbol))) is not None:
            if sheet.asked == 1:
                wait = self._past.wait(client, self._clock.monotonic())
                gate.keep_pace(wait, "This is more of the past than one client may ask in a minute.")
            try:
                sheet.answer(await self._archive.answer(question))
            except HistoryUnavailable:
                if not sheet.unanswered(self._feed.glance(query.symbol)):
                    raise gate.no_history() from None
                break
            await self._write(sheet, writing)
        await self._write(sheet, writing)

    async def _write(self, sheet: Sheet, writing: Writing) -> None:
        for stretch in sheet.written():
            writing.add(stretch)
            await asyncio.sleep(0)
