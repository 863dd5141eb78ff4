"""What a tick costs a chart, alone: `make bench-micro`."""

from __future__ import annotations

from itertools import count

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gateway.candles.series import Series
from services.broker.history import CandleAnswer, CandleQuestion
from services.market.candle import STEPS
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_tick

AAPL = Symbol("AAPL")
BEGAN_US = 1_795_000_020_000_000


@pytest.mark.parametrize("step", STEPS)
def test_count(benchmark: BenchmarkFixture, step: int) -> None:
    """A live tick, one of 50 a second, is counted."""
    series = Series(step)
    series.load(CandleAnswer(CandleQuestion(AAPL, step, 0, 1), (), Position(1, 0), BEGAN_US))
    seqs = count(1)

    def tick() -> tuple[bytes, int]:
        seq = next(seqs)
        ts = BEGAN_US + seq * 20_000
        return encode_tick(Tick(seq, ts, AAPL, 23_000 + seq % 7, seq % 3, 1, 2, 3, 4, seq, 2)), ts

    benchmark.pedantic(series.count, setup=lambda: (tick(), {}), rounds=20_000)  # type: ignore[no-untyped-call] # it has no types
    assert len(series) > 1


def test_update(benchmark: BenchmarkFixture) -> None:
    """What changed since the last turn is put into bytes, for all clients at once."""
    series = Series(1)
    series.load(CandleAnswer(CandleQuestion(AAPL, 1, 0, 1), (), Position(1, 0), BEGAN_US))
    seqs = count(1)

    def trade() -> int:
        seq = next(seqs)
        line = encode_tick(Tick(seq, BEGAN_US + seq * 250_000, AAPL, 23_000, 1, 1, 2, 3, 4, seq, 2))
        assert series.count(line, BEGAN_US + seq * 250_000) is None
        told = series.version
        series.turn()
        return told

    benchmark.pedantic(series.changes, setup=lambda: ((trade(),), {}), rounds=5_000)  # type: ignore[no-untyped-call] # it has no types
