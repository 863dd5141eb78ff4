"""Unit tests of `gateway.commands`."""

from __future__ import annotations

from gateway.commands import EVERYTHING, NAMES, Auth, List, Ping, Subscribe, Unsubscribe, weight
from services.market.symbol import Symbol


def names(count: int) -> tuple[Symbol, ...]:
    """So many symbols."""
    return tuple(Symbol(f"S{n}") for n in range(count))


def test_names_weigh() -> None:
    """A command counts once more for each 25 names that it is about, `*` for all that one may follow."""
    assert [weight(Subscribe(1, names(n)), followed=0, most=1_000) for n in (1, NAMES - 1, NAMES, 1_000)] == [
        0,
        0,
        1,
        40,
    ]
    assert weight(Unsubscribe(1, names(70)), followed=0, most=1_000) == 2
    assert weight(Unsubscribe(1, (EVERYTHING,)), followed=3, most=1_000) == 40
    assert weight(List(1), followed=250, most=1_000) == 10
    assert weight(Ping(1), followed=250, most=1_000) == 0
    assert weight(Auth(1, "x"), followed=250, most=1_000) == 0
