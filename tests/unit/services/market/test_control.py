"""The control codec."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import MalformedMessage
from services.market.control import Heartbeat, decode_control, encode_control
from services.market.directory import DirectoryPart, Instrument, SessionState
from services.market.symbol import Symbol

symbols = st.from_regex(r"\A[A-Z0-9][A-Z0-9.\-]{0,15}\Z").map(Symbol)
whole = st.integers(0, 2**53 - 1)
heartbeats = st.builds(
    Heartbeat,
    shard=st.text(max_size=10),
    epoch=whole,
    time=whole,
    directory_version=whole,
    marks=st.dictionaries(symbols, whole, max_size=5),
    full=st.booleans(),
)
instruments = st.builds(
    Instrument,
    symbol=symbols,
    name=st.text(max_size=20),
    exchange=st.text(max_size=5),
    currency=st.text(max_size=3),
    decimals=st.integers(0, 9),
    tick_size=st.integers(1, 10**6),
    previous_close=st.integers(0, 10**15),
    session=st.sampled_from(SessionState),
    since=whole,
)


@st.composite
def parts(draw: st.DrawFn) -> DirectoryPart:
    """A part of a directory."""
    count = draw(st.integers(1, 5))
    return DirectoryPart(
        draw(st.text(max_size=5)),
        draw(whole),
        draw(st.integers(0, count - 1)),
        count,
        tuple(draw(st.lists(instruments, max_size=3))),
    )


HEARTBEAT: dict[str, Any] = {
    "type": "heartbeat",
    "shard": "main",
    "epoch": 17,
    "time": 5,
    "directory": 3,
    "full": False,
    "marks": {"AAPL": 1},
}
INSTRUMENT: dict[str, Any] = {
    "symbol": "AAPL",
    "name": "Apple",
    "exchange": "SIM",
    "currency": "USD",
    "decimals": 2,
    "tick_size": 0.01,
    "previous_close": 268.5,
    "session": "open",
    "since": 5,
}
PART: dict[str, Any] = {"type": "directory", "shard": "main", "version": 3, "part": 0, "parts": 1}


@given(heartbeats | parts())
def test_messages_survive(message: Heartbeat | DirectoryPart) -> None:
    """Every control message decodes to itself, prices exactly."""
    assert decode_control(encode_control(message)) == message


def test_the_wire() -> None:
    """The names on the wire are these."""
    assert decode_control(orjson.dumps(HEARTBEAT)) == Heartbeat("main", 17, 5, 3, {Symbol("AAPL"): 1}, full=False)
    part = decode_control(orjson.dumps({**PART, "instruments": [INSTRUMENT]}))
    assert isinstance(part, DirectoryPart)
    assert part.instruments[0].previous_close == 26_850


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b'{"type":"lease"}',
        orjson.dumps({**HEARTBEAT, "marks": [1]}),
        orjson.dumps({**HEARTBEAT, "marks": {"aapl": 1}}),
        orjson.dumps({**HEARTBEAT, "marks": {"AAPL": -1}}),
        orjson.dumps({**HEARTBEAT, "epoch": True}),
        orjson.dumps({**HEARTBEAT, "epoch": 1.5}),
        orjson.dumps({**HEARTBEAT, "shard": 1}),
        orjson.dumps({k: v for k, v in HEARTBEAT.items() if k != "time"}),
        orjson.dumps({**PART, "part": 1, "instruments": []}),
        orjson.dumps({**PART, "instruments": [{**INSTRUMENT, "decimals": 10}]}),
        orjson.dumps({**PART, "instruments": [{**INSTRUMENT, "session": "lunch"}]}),
        orjson.dumps({**PART, "instruments": [{**INSTRUMENT, "tick_size": "x"}]}),
        orjson.dumps({**PART, "instruments": [1]}),
    ],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    """What no codec of ours wrote raises MalformedMessage."""
    with pytest.raises(MalformedMessage):
        decode_control(body)


@given(st.binary(max_size=100))
def test_any_bytes(body: bytes) -> None:
    """Whatever the bytes, the only error is MalformedMessage."""
    with pytest.raises(MalformedMessage):
        decode_control(body)
