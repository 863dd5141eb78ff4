"""How many tickets may wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.broker.stubs import Stubs, is_ticket
from services.broker.tickets import TICKET_S


def test_as_many_as_may_and_no_more() -> None:
    """The tickets of the last 30 s are counted; the first one's end makes room for another."""
    stubs = Stubs(2)
    assert [stubs.add(now) for now in (0.0, 10.0, 29.9)] == [True, True, False]
    assert stubs.add(30.0)
    assert not stubs.add(39.9)


@given(st.lists(st.floats(0, 20), max_size=100), st.integers(1, 5))
def test_never_more_in_any_thirty_seconds(pauses: list[float], most: int) -> None:
    """In no stretch of 30 s more are put than may wait."""
    stubs, now, put = Stubs(most), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if stubs.add(now):
            put.append(now)
        assert sum(time > now - TICKET_S for time in put) <= most


@pytest.mark.parametrize(
    "name",
    ["", "0" * 31, "0" * 33, "A" * 32, "g" * 32, "0" * 32 + "\n", "#" * 32, "\u0660" * 32, "*.0" + "0" * 29],
)
def test_nothing_else_is_a_ticket(name: str) -> None:
    """Only 32 hexadecimal digits in lower case are what a ticket is called."""
    assert not is_ticket(name)
    assert is_ticket("0123456789abcdef" * 2)
