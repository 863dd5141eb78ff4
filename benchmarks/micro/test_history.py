"""History's way from a message to what it remembers, and back to an answer: `make bench-micro`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from services.broker.history import Question
from services.history.store import Store
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import TickMessage, encode_tick

SYMBOLS: Final = tuple(Symbol(f"S{n}") for n in range(100))
BEGAN: Final = 1_795_000_000_000_000
TURNS: Final = 200
"""Messages of each symbol; 100 ms of event time apart."""


def _messages(ticks: int) -> list[TickMessage]:
    """Messages of *ticks* ticks, two of three of which are trades, as the log has them: symbol after symbol."""

    def lines(symbol: Symbol, first: int) -> Iterator[bytes]:
        for seq in range(first, first + ticks):
            ts = BEGAN + seq * 100_000 // ticks
            price, size = 23_000 + seq * 7 % 100, 100 if seq % 3 else 0
            yield encode_tick(Tick(seq, ts, symbol, price, size, price - 1, price + 1, 3, 1, seq * 100, 2))

    return [
        TickMessage(symbol, 1, first, BEGAN + first * 100_000 // ticks, 1, tuple(lines(symbol, first)))
        for first in range(1, TURNS * ticks + 1, ticks)
        for symbol in SYMBOLS
    ]


def _store() -> Store:
    return Store(keep_s=120, ring_ticks=20_000, memory=512 * 2**20)


@pytest.mark.parametrize("ticks", [1, 8])
def test_accept(benchmark: BenchmarkFixture, ticks: int) -> None:
    """20,000 messages of 100 symbols are remembered, candles counted: divide by 20,000 times the ticks."""
    messages = _messages(ticks)

    def accept(store: Store) -> None:
        for begin in range(0, len(messages), 500):
            store.accept(messages[begin : begin + 500], begin / 1_000)

    benchmark(lambda: accept(_store()))


@pytest.mark.parametrize("missing", [0, 10, 400])
def test_respond(benchmark: BenchmarkFixture, missing: int) -> None:
    """A question is answered: with the last tick and the day (0), a short hole, a whole page."""
    store = _store()
    store.accept(_messages(8), 0.0)
    question = Question(SYMBOLS[0], Position(1, TURNS * 8 - missing) if missing else None)
    assert len(benchmark(store.respond, question).ticks) == max(missing, 1)
