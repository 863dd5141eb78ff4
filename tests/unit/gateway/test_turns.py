"""Turns of conflating followers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.follower import Follower
from gateway.outbox import Outbox
from gateway.turns import Turns
from services.market.symbol import Symbol


def follower(serial: int) -> Follower:
    """A follower that conflates."""
    return Follower(Symbol("X"), Outbox(None, [], lambda: None), serial, max_rate=1.0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_turns_come_in_time_order(times: list[float]) -> None:
    """Everybody gets one turn, earliest first, and none before its time."""
    turns = Turns()
    for serial, at in enumerate(times):
        turns.schedule(follower(serial), at)
    assert turns.next == min(times)
    assert turns.pop(min(times) - 1.0) is None
    order = []
    while (turned := turns.pop(100.0)) is not None:
        assert not turned.turn_due
        order.append(times[turned.serial])

    assert order == sorted(times)


def test_second_turn_is_not_scheduled() -> None:
    """A follower that has a turn keeps it."""
    turns, one = Turns(), follower(1)
    turns.schedule(one, 5.0)
    turns.schedule(one, 1.0)

    assert turns.next == 5.0
    assert turns.pop(9.0) is one
    assert turns.pop(9.0) is None


def test_cancelled_turn_never_comes() -> None:
    """A follower that leaves has no turn."""
    turns, one, two = Turns(), follower(1), follower(2)
    turns.schedule(one, 1.0)
    turns.schedule(two, 2.0)
    turns.cancel(one)

    assert turns.pop(9.0) is two
    assert not turns
