"""Positions that nobody knows."""

from __future__ import annotations

from typing import Final

from gateway.wires.http.doubts import DOUBT_S, FORGET_S, MOST_DOUBTS, Doubts
from services.market.position import Position
from services.market.symbol import Symbol

A: Final = Symbol("AAPL")


def test_patience() -> None:
    """A position counts as unknown once it has been above everything for 5 s."""
    doubts = Doubts()
    assert not doubts.unknown(A, Position(9, 1), 0.0)
    assert not doubts.unknown(A, Position(9, 1), DOUBT_S - 0.1)
    assert not doubts.unknown(A, Position(9, 2), DOUBT_S)
    assert doubts.unknown(A, Position(9, 1), DOUBT_S)


def test_of_another_time() -> None:
    """Whoever comes much later is given the time once more."""
    doubts = Doubts()
    assert not doubts.unknown(A, Position(9, 1), 0.0)
    assert not doubts.unknown(A, Position(9, 1), FORGET_S)
    assert doubts.unknown(A, Position(9, 1), FORGET_S + DOUBT_S)


def test_bound() -> None:
    """The oldest doubt goes where there are too many."""
    doubts = Doubts()
    for seq in range(MOST_DOUBTS + 5):
        doubts.unknown(A, Position(9, seq), 0.0)
    assert len(doubts) == MOST_DOUBTS
    assert not doubts.unknown(A, Position(9, 0), DOUBT_S)
    assert doubts.unknown(A, Position(9, MOST_DOUBTS), DOUBT_S)
