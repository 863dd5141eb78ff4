"""The places of a stream say at every moment what the codec says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.sse.eventid import encode
from gateway.wires.sse.places import Places
from services.market.position import Position
from services.market.symbol import Symbol

SYMBOLS = tuple(map(Symbol, ("A", "B", "C")))
POSITIONS = st.builds(Position, st.integers(5, 7), st.integers(0, 300))
MOVES = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.none() | POSITIONS, st.booleans()))


@given(st.dictionaries(st.sampled_from(SYMBOLS), POSITIONS), MOVES)
def test_word(begun: dict[Symbol, Position], moves: list[tuple[Symbol, Position | None, bool]]) -> None:
    """After any moves, looked at between them or not, the word is that of the positions."""
    places, stands = Places(SYMBOLS, begun), dict(begun)

    for symbol, position, looked in moves:
        places.move(symbol, position)
        stands.pop(symbol, None)
        if position is not None:
            stands[symbol] = position
        assert not looked or places.word == encode(SYMBOLS, stands)

    assert places.word == encode(SYMBOLS, stands)


def test_advance() -> None:
    """A tick moves a client within its epoch, and one without a position nowhere."""
    places = Places(SYMBOLS, {SYMBOLS[0]: Position(5, 1)})

    places.advance(SYMBOLS[0], 9)
    places.advance(SYMBOLS[1], 9)
    places.move(Symbol("ZZZZ"), Position(5, 1))

    assert places.word == encode(SYMBOLS, {SYMBOLS[0]: Position(5, 9)})
