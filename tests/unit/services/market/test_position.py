"""Positions order by epoch, then sequence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.market.position import Position

positions = st.builds(Position, st.integers(0, 5), st.integers(0, 5))


@given(a=positions, b=positions)
def test_order(a: Position, b: Position) -> None:
    """The later epoch is the later position whatever the sequence; within one, the sequence decides."""
    assert (a < b) == (a.epoch < b.epoch or (a.epoch == b.epoch and a.seq < b.seq))


def test_following() -> None:
    """The position that follows is the next of the same epoch."""
    assert Position(17, 41).following == Position(17, 42)
