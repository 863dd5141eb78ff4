"""Subscriptions to candles as commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.commands import EVERYTHING, SubscribeCandles, UnsubscribeCandles
from gateway.wires.native.faults import CommandFault, ErrorCode
from gateway.wires.native.parse import parse
from services.market.candle import MINUTE, SECOND
from services.market.symbol import Symbol

A, B = Symbol("A"), Symbol("BRK.B")


def read(**fields: Any) -> object:
    """Parse *fields* as JSON."""
    return parse(json.dumps(fields), max_symbols=3).command


def fault(**fields: Any) -> CommandFault:
    """Return what is wrong with *fields*."""
    with pytest.raises(CommandFault) as caught:
        read(**fields)
    return caught.value


def test_candles_of_each_interval() -> None:
    """`candles` makes of a command about ticks one about candles of that interval."""
    assert read(op="subscribe", id=1, symbols=["A", "BRK.B", "A"], candles="1s") == SubscribeCandles(
        1, (A, B), SECOND
    )
    assert read(op="subscribe", id=1, symbols=["A"], candles="1m", history=0) == SubscribeCandles(
        1, (A,), MINUTE, 0
    )
    assert read(op="unsubscribe", id=2, symbols=["A"], candles="1m") == UnsubscribeCandles(2, (A,), MINUTE)
    assert read(op="unsubscribe", id=2, symbols=["*"], candles="1s") == UnsubscribeCandles(
        2, (EVERYTHING,), SECOND
    )


def test_history_left_out() -> None:
    """Left out, or null, `history` is 300."""
    assert read(op="subscribe", id=1, symbols=["A"], candles="1m") == SubscribeCandles(1, (A,), MINUTE, 300)
    assert read(op="subscribe", id=1, symbols=["A"], candles="1m", history=None) == SubscribeCandles(
        1, (A,), MINUTE, 300
    )


@pytest.mark.parametrize("interval", ["5m", "", None, 60, True, ["1m"], {}, "1M"])
@pytest.mark.parametrize("op", ["subscribe", "unsubscribe"])
def test_bad_interval(op: str, interval: object) -> None:
    """An interval that is none is refused by a sentence that names those that are."""
    found = fault(op=op, id=1, symbols=["A"], candles=interval)
    assert (found.code, found.id) == (ErrorCode.BAD_CANDLES, 1)
    assert str(found).startswith("candles is ")
    assert str(found).endswith('must be "1s" or "1m"')


@pytest.mark.parametrize("history", [-1, 501, 1.0, True, "300", [], 2**64])
def test_bad_history(history: object) -> None:
    """`history` is an integer from 0 to 500."""
    found = fault(op="subscribe", id=1, symbols=["A"], candles="1m", history=history)
    assert (found.code, found.id) == (ErrorCode.BAD_HISTORY, 1)
    assert "from 0 to 500" in str(found)


def test_everything_is_too_much() -> None:
    """Candles of the whole directory cannot be followed."""
    found = fault(op="subscribe", id=1, symbols=["*"], candles="1m")
    assert (found.code, found.id) == (ErrorCode.BAD_CANDLES, 1)
    assert "by name only" in str(found)


def test_symbols_as_with_ticks() -> None:
    """Names are judged as in a subscription to ticks."""
    assert fault(op="subscribe", id=1, candles="1m").code is ErrorCode.MISSING_FIELD
    assert fault(op="subscribe", id=1, symbols=["a b"], candles="1m").code is ErrorCode.BAD_SYMBOL
    assert fault(op="subscribe", id=1, symbols=list("ABCD"), candles="1m").code is ErrorCode.TOO_MANY_SYMBOLS
