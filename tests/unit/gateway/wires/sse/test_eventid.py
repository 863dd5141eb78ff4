"""The event id: what is written can be read, and nothing else can."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wires.sse.eventid import decode, encode, leb128
from services.market.position import Position
from services.market.symbol import Symbol

AAPL, IBM, MSFT = Symbol("AAPL"), Symbol("IBM"), Symbol("MSFT")
BOTH = (AAPL, MSFT)
EPOCH = 1_795_000_000_000
NUMBERS = st.integers(min_value=0, max_value=2**53 - 1)
SYMBOLS = st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,15}", fullmatch=True).map(Symbol)


@st.composite
def requests(draw: st.DrawFn) -> tuple[tuple[Symbol, ...], dict[Symbol, Position]]:
    """Return a request's symbols, sorted, and positions of some of them in a few epochs."""
    symbols = tuple(sorted(draw(st.sets(SYMBOLS, min_size=1, max_size=30))))
    epochs = draw(st.lists(st.integers(min_value=1, max_value=2**53 - 1), min_size=1, max_size=4))
    places = st.builds(Position, st.sampled_from(epochs), NUMBERS)
    found = {symbol: draw(st.none() | places) for symbol in symbols}
    return symbols, {symbol: place for symbol, place in found.items() if place is not None}


def made(*numbers: int, symbols: tuple[Symbol, ...] = BOTH, tail: bytes = b"") -> str:
    """Return a word that says *numbers*, whatever they mean."""
    data = binascii.crc32(",".join(symbols).encode()).to_bytes(4, "big") + b"".join(map(leb128, numbers)) + tail
    return "1" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_example() -> None:
    """The example of docs/sse.md is what stands there."""
    positions = {AAPL: Position(EPOCH, 1041), MSFT: Position(EPOCH, 220)}

    assert encode(BOTH, positions) == b"1WAhNWwGAvNnynjSSCN0B"
    assert decode("1WAhNWwGAvNnynjSSCN0B", BOTH) == positions


@given(requests())
@example((BOTH, {}))
@example((BOTH, {MSFT: Position(1, 0)}))
def test_round_trip(request: tuple[tuple[Symbol, ...], dict[Symbol, Position]]) -> None:
    """Every place can be said, in letters that any header and any URL may carry, and is read again."""
    symbols, positions = request

    text = encode(symbols, positions).decode()

    assert text.replace("-", "").replace("_", "").isalnum()
    assert decode(text, symbols) == positions


@given(requests(), st.data())
def test_altered(request: tuple[tuple[Symbol, ...], dict[Symbol, Position]], data: st.DataObject) -> None:
    """There is one word for one place: a changed letter says something else, or nothing."""
    symbols, positions = request
    text = encode(symbols, positions).decode()
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n"))
    altered = text[:at] + letter + text[at + 1 :]

    assert (decode(altered, symbols) == positions) is (altered == text)


@given(requests(), st.integers(min_value=1, max_value=40))
def test_cut(request: tuple[tuple[Symbol, ...], dict[Symbol, Position]], cut: int) -> None:
    """What a proxy has cut off is no id."""
    symbols, positions = request

    assert decode(encode(symbols, positions).decode()[:-cut], symbols) is None


@given(st.text(max_size=60) | st.text("1ABCDEFabcdef0-_", max_size=60).map(lambda text: f"1{text}"), requests())
def test_rubbish(text: str, request: tuple[tuple[Symbol, ...], dict[Symbol, Position]]) -> None:
    """Any text at all is either no id or one that would be written the same way."""
    symbols, _ = request

    found = decode(text, symbols)

    assert found is None or set(found) <= set(symbols)


@given(st.lists(st.integers(min_value=0, max_value=2**60), max_size=12), st.binary(max_size=8))
def test_fuzz(numbers: list[int], tail: bytes) -> None:
    """Behind the right CRC, too, any bytes are read as a sensible place, or not at all."""
    found = decode(made(*numbers, tail=tail), BOTH)

    for position in (found or {}).values():
        assert 1 <= position.epoch <= 2**53 - 1
        assert 0 <= position.seq <= 2**53 - 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("1", "nothing behind the version"),
        ("2" + made(1, EPOCH, 1042, 221)[1:], "another version"),
        (made(1, EPOCH, 1042, 221, symbols=(AAPL, IBM)), "the symbols of another request"),
        (made(1, EPOCH, 1042), "a symbol is missing"),
        (made(1, EPOCH, 1042, 221, 1), "a number too many"),
        (made(1, EPOCH, 1042, tail=b"\xdd\x81\x00"), "a number with a zero on top"),
        (made(1, EPOCH, 1042, tail=b"\xdd"), "a number that is cut off"),
        (made(1, EPOCH, 1042, tail=b"\xff" * 7 + b"\x7f"), "a number of 2^56"),
        (made(1, EPOCH, 1042, tail=b"\xff" * 9 + b"\x01"), "a number of ten bytes"),
        (made(2, EPOCH, 5, 1042, 0, 221, 2), "an index behind the epochs"),
        (made(2, EPOCH, 0, 1042, 0, 221, 1), "an epoch twice"),
        (made(1, 0, 1042, 221), "epoch 0"),
        (made(3, EPOCH, 1, 1, 1042, 0, 221, 1), "more epochs than symbols"),
        (made(0, 1042, 221), "positions, and no epoch"),
        (made(1, 2**53, 1042, 221), "an epoch beyond 2^53 - 1"),
        (made(1, EPOCH, 1042, 221) + "=", "padding"),
        (made(2, EPOCH, 5, 1042, 0, 221, 0), "an epoch of nobody's"),
        (made(1, EPOCH, 1042, 221) + "\n", "a newline"),
        ("1ÄÖÜ", "letters of elsewhere"),
    ],
)
def test_refused(text: str, why: str) -> None:
    """What is no id of this request is none at all."""
    assert decode(text, BOTH) is None, why


def test_bits() -> None:
    """Bits behind the last byte make no second word for the same place."""
    text = made(1, EPOCH, 1042, symbols=(AAPL,))

    assert decode(text, (AAPL,)) == {AAPL: Position(EPOCH, 1041)}
    assert decode(text[:-1] + chr(ord(text[-1]) + 1), (AAPL,)) is None


def test_two_epochs() -> None:
    """With several epochs each position names its own, and a symbol without one names none."""
    positions = {AAPL: Position(EPOCH + 7, 3), MSFT: Position(EPOCH, 220)}
    symbols = (AAPL, IBM, MSFT)

    assert encode(symbols, positions).decode() == made(2, EPOCH, 7, 4, 1, 0, 221, 0, symbols=symbols)
    assert decode(encode(symbols, positions).decode(), symbols) == positions


def test_size() -> None:
    """500 symbols take 2.7 KB: within the 8 KB that a header may have."""
    symbols = tuple(sorted(Symbol(f"S{n:03}") for n in range(500)))
    positions = {symbol: Position(EPOCH, 1_000_000 + n) for n, symbol in enumerate(symbols)}

    assert 2_000 < len(encode(symbols, positions)) < 2_800
