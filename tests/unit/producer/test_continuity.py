"""Where a run goes on from, as far as history says so."""

from __future__ import annotations

import asyncio

from producer.continuity import LARGEST_VOLUME, last_ticks
from producer.sources.source import Last
from producer.sources.universe import Listing
from services.broker.history import AbsentHistory, Answer, CandleAnswer, CandleQuestion, History, Question
from services.errors import HistoryUnavailable
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_tick

A, B = Symbol("A"), Symbol("B")
LISTINGS = [Listing(symbol, symbol, 10_000, 0.3, 1.0, 1.0, 2) for symbol in (A, B)]


def line(symbol: Symbol, price: int, volume: int, decimals: int = 2) -> bytes:
    """A last tick."""
    return encode_tick(Tick(9, 5, symbol, price, 1, price, price + 1, 1, 1, volume, decimals))


class Scripted(History):
    """A history that says what the test wants, after as many failures as it wants."""

    present = True

    def __init__(self, lines: dict[str, bytes | None], failures: int = 0) -> None:
        self._lines, self._failures = lines, failures
        self.asked: list[Question] = []

    async def run(self) -> None:
        """Nothing."""

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """Nothing."""
        raise NotImplementedError(question)

    async def ask(self, question: Question) -> Answer:
        """Answer, fail, or say nothing at all."""
        self.asked.append(question)
        if self._failures:
            self._failures -= 1
            raise HistoryUnavailable("the test asked for it")
        if question.symbol not in self._lines:
            await asyncio.Event().wait()
        found = self._lines[question.symbol]
        ticks = () if found is None else ((Position(3, 9), found),)
        return Answer(question, ticks, Position(3, 9) if found else None, None)


async def test_price_and_volume_of_the_last_tick() -> None:
    """Each symbol's last tick gives price and volume; there is no reason to begin afresh."""
    history = Scripted({A: line(A, 10_234, 77), B: line(B, 5, 0)})
    assert await last_ticks(history, LISTINGS) == ({A: Last(10_234, 77), B: Last(5, 0)}, "")
    assert sorted(history.asked) == [Question(A, None), Question(B, None)]


async def test_absent_history_is_not_asked() -> None:
    """Without history nothing is asked, nor waited for, and the reason says so."""
    assert await last_ticks(AbsentHistory(), LISTINGS) == ({}, "history is absent")


async def test_a_history_that_comes_up_is_asked_again() -> None:
    """A failed question is asked again until there is no time left."""
    history = Scripted({A: line(A, 1, 1), B: line(B, 1, 1)}, failures=5)
    assert (await last_ticks(history, LISTINGS)).lasts.keys() == {A, B}


async def test_what_does_not_answer_in_time_begins_afresh() -> None:
    """A symbol without an answer does not hold up the others for longer than the limit."""
    found = await last_ticks(Scripted({A: line(A, 10_234, 77)}), LISTINGS, within=0.05)
    assert found.lasts == {A: Last(10_234, 77)}
    assert found.reason == "history did not answer for 1 symbols within 0.05 s"
    silent = await last_ticks(Scripted({}, failures=10**6), LISTINGS, within=0.2)
    assert (silent.lasts, silent.reason) == ({}, "history did not answer for 2 symbols within 0.2 s")


async def test_what_never_ticked_begins_afresh() -> None:
    """No last tick, or one that cannot be read, is nothing to go on from."""
    found = await last_ticks(Scripted({A: None, B: b"{}"}), LISTINGS)
    assert (found.lasts, found.reason) == ({}, "history has no tick of 2 symbols")


async def test_prices_are_counted_in_the_listings_decimals() -> None:
    """Other decimals change the unit, not the price; a volume beyond a tick's room begins anew."""
    history = Scripted({A: line(A, 1_234_567, LARGEST_VOLUME + 1, decimals=4), B: line(B, 12, 3, decimals=0)})
    assert (await last_ticks(history, LISTINGS)).lasts == {A: Last(12_346, 0), B: Last(1_200, 3)}
