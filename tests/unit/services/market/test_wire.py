"""The tick codec: exact bytes out, the same tick back, and nothing else accepted."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.errors import MalformedMessage
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import (
    TickMessage,
    TracedMessage,
    decode_message,
    decode_tick,
    encode_body,
    encode_tick,
    format_price,
    last_seqs,
    message_id,
    splice_skipped,
    with_context,
)
from tests.listeners import line

AAPL = Symbol("AAPL")
TICK = Tick(1042, 1_795_000_000_000_000, AAPL, 23_015, 100, 23_014, 23_016, 3, 1, 1_200_345, 2)
LINE = (
    b'{"seq":1042,"ts":1795000000000000,"symbol":"AAPL","price":230.15,"size":100,"bid":230.14,"ask":230.16,'
    b'"bid_size":3,"ask_size":1,"volume":1200345}'
)

symbols = st.from_regex(r"\A[A-Z0-9][A-Z0-9.\-]{0,15}\Z").map(Symbol)
counts = st.integers(0, 10**16 - 1)


@st.composite
def ticks(draw: st.DrawFn) -> Tick:
    """Any tick that the codec writes."""
    decimals = draw(st.integers(0, 9))
    prices = st.integers(0, 10 ** (15 + decimals) - 1)
    price, bid, ask = draw(prices), draw(prices), draw(prices)
    seq, ts, size, bid_size, ask_size, volume = (draw(counts) for _ in range(6))
    return Tick(seq, ts, draw(symbols), price, size, bid, ask, bid_size, ask_size, volume, decimals)


def lines(first: int, length: int, symbol: Symbol = AAPL) -> list[bytes]:
    """Consecutive ticks of one symbol."""
    return [encode_tick(TICK._replace(seq=first + n, ts=TICK.ts + n, symbol=symbol)) for n in range(length)]


def test_the_designs_example() -> None:
    """A tick is encoded as the design shows it, byte for byte."""
    assert encode_tick(TICK) == LINE
    assert decode_tick(LINE) == TICK


@given(ticks())
def test_ticks_survive(tick: Tick) -> None:
    """Every tick decodes to itself, prices exactly, and is JSON."""
    line = encode_tick(tick)
    assert decode_tick(line) == tick
    fields = json.loads(line)
    assert list(fields)[:4] == ["seq", "ts", "symbol", "price"]
    assert fields["volume"] == tick.volume


@given(tick=ticks(), place=st.integers(0, 300), byte=st.integers(0, 255))
def test_a_changed_byte_is_noticed_or_means_another_tick(tick: Tick, place: int, byte: int) -> None:
    """No two lines decode to the same tick, and what is not a tick is MalformedMessage."""
    line = bytearray(encode_tick(tick))
    place %= len(line)
    assume(line[place] != byte)
    line[place] = byte
    try:
        other = decode_tick(bytes(line))
    except MalformedMessage:
        return
    assert other != tick


@given(st.binary(max_size=200))
def test_anything_else_is_malformed(line: bytes) -> None:
    """Whatever is not a tick raises MalformedMessage."""
    with pytest.raises(MalformedMessage):
        decode_tick(line)


@pytest.mark.parametrize(
    ("price", "decimals", "text"),
    [
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (23_010, 2, "230.10"),
        (7, 0, "7"),
        (1, 9, "0.000000001"),
        (10**9, 4, "100000.0000"),
    ],
)
def test_prices_keep_their_decimals(price: int, decimals: int, text: str) -> None:
    """A price is written with exactly the symbol's decimals."""
    assert format_price(price, decimals) == text


@given(tick=ticks(), skipped=st.integers(1, 10**9))
def test_skipped_is_spliced_in(tick: Tick, skipped: int) -> None:
    """A spliced line is the same JSON with one member more, the last."""
    line = encode_tick(tick)
    spliced = json.loads(splice_skipped(line, skipped))
    assert list(spliced)[-1] == "skipped"
    assert spliced == {**json.loads(line), "skipped": skipped}


@given(symbol=symbols, epoch=st.integers(1, 10**16 - 1), first=st.integers(1, 10**15), length=st.integers(1, 20))
def test_messages_survive(symbol: Symbol, epoch: int, first: int, length: int) -> None:
    """A message of consecutive ticks decodes to them, its positions and the time of its last tick."""
    sent = lines(first, length, symbol)
    message = decode_message(symbol, message_id(epoch, first, 99), encode_body(sent))
    assert message == (symbol, epoch, first, 99, TICK.ts + length - 1, tuple(sent))
    assert message.last == Position(epoch, first + length - 1)


@given(context=st.text())
def test_a_context_comes_with_its_message(context: str) -> None:
    """A message whose identity has a context behind it is the same message, and has that context as it is."""
    sent = encode_body(lines(7, 2))
    message = decode_message(AAPL, with_context("17-7-5", context), sent)
    assert isinstance(message, TracedMessage)
    assert message.context == context
    assert message == decode_message(AAPL, "17-7-5", sent)
    assert type(decode_message(AAPL, "17-7-5", sent)) is TickMessage


@pytest.mark.parametrize(
    ("identity", "body", "reason"),
    [
        (None, lines(1, 1), "message_id"),
        ("", lines(1, 1), "message_id"),
        ("17-1", lines(1, 1), "message_id"),
        ("17-0-5", lines(1, 1), "message_id"),
        ("17-01-5", lines(1, 1), "message_id"),
        ("17-1-5\n", lines(1, 1), "message_id"),
        (";00-1-1-01", lines(1, 1), "message_id"),
        ("17-1;00-1-1-01", lines(1, 1), "message_id '17-1'"),
        ("17-2-5;00-1-1-01", lines(1, 1), "is tick 1 of AAPL"),
        ("17-1-5", [], "line 1 of 17-1-5 for AAPL is not a tick"),
        ("17-1-5", [*lines(1, 1), b""], "line 2 of 17-1-5 for AAPL is not a tick"),
        ("17-2-5", lines(1, 1), "is tick 1 of AAPL"),
        ("17-1-5", lines(1, 1) + lines(3, 1), "line 2 of 17-1-5 for AAPL is tick 3 of AAPL"),
        ("17-1-5", lines(1, 1, Symbol("MSFT")), "is tick 1 of MSFT"),
    ],
)
def test_bad_messages_are_malformed(identity: str | None, body: list[bytes], reason: str) -> None:
    """A message that is not ours says what is wrong with it, and where."""
    with pytest.raises(MalformedMessage, match=reason):
        decode_message(AAPL, identity, encode_body(body))


def test_last_seqs() -> None:
    """The last tick of each symbol is found in any bytes that ticks stand in."""
    lines = [line("AAPL", 4), line("MSFT", 9), line("AAPL", 5), splice_skipped(line("BRK.B", 77), 3)]

    assert last_seqs(b"\n".join(lines)) == last_seqs(b",".join(lines)) == {"AAPL": 5, "MSFT": 9, "BRK.B": 77}
    assert last_seqs(b"") == {}
