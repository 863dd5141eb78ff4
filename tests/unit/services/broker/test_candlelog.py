"""The codec of candles."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.broker.candlelog import MESSAGE_BYTES, decode_candles, encode_candles
from services.errors import MalformedMessage
from services.market.candle import Candle
from services.market.symbol import Symbol
from tests.histories import candles

CANDLE = Candle(Symbol("BRK.B"), 60, 1_795_000_020_000_000, 1_795_000_000_000_000, 17, 5, 9, 4, 6, 300, 3, 2)


@given(st.lists(candles(), max_size=20))
def test_round_trip(given_candles: list[Candle]) -> None:
    """What was encoded comes back, in order."""
    bodies = encode_candles(given_candles)
    assert [candle for body in bodies for candle in decode_candles(body)] == given_candles


def test_many_candles_take_several_messages() -> None:
    """2,000 candles travel in messages of at most 64 KiB, and nothing in none."""
    bodies = encode_candles([CANDLE] * 2_000)
    assert max(map(len, bodies)) <= MESSAGE_BYTES
    assert len(bodies) < 5
    assert sum(len(decode_candles(body)) for body in bodies) == 2_000
    assert encode_candles([]) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, "no symbol"), (1, 61), (1, "60"), (2, -1), (5, 1.5), (5, True), (9, None), (11, 10)],
)
def test_a_wrong_field_is_malformed(place: int, value: object) -> None:
    """A row with a field of another type or range is refused with a sentence that names it."""
    row = list[object](CANDLE)
    row[place] = value
    with pytest.raises(MalformedMessage, match=r"^candles: .* in "):
        decode_candles(orjson.dumps([row]))


@given(st.one_of(st.binary(max_size=40), st.sampled_from([b"{}", b"[[]]", b"[1]", b"null", b'["AAPL"]'])))
def test_anything_else_is_malformed(body: bytes) -> None:
    """Bytes that are no list of rows are refused, never half read."""
    if body == b"[]":
        return
    with pytest.raises(MalformedMessage):
        decode_candles(body)
