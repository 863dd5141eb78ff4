"""The judge of what the Python client hands out, in the fault tests."""

from __future__ import annotations

from typing import Final

import pytest

from tests.faults.pythonclient import Iterated
from tickwire_client import EpochChange, Gap, Position, Tick
from tickwire_client.tick import Arrival

ARRIVAL: Final = Arrival(0, None, 0)


def tick(seq: int, epoch: int = 1, *, skipped: int = 0, snapshot: bool = False) -> Tick:
    """A tick that is nothing but its position."""
    return Tick({"symbol": "AAPL", "seq": seq, "price": "1.00", "size": 1}, ARRIVAL, epoch, skipped, snapshot)


def gap(first: int, last: int | None, epoch: int = 1) -> Gap:
    """What is told as missing."""
    return Gap("AAPL", epoch, first, last, "lost")


@pytest.mark.parametrize(
    "told",
    [
        [tick(5, snapshot=True), tick(6), tick(7)],
        [tick(5), tick(8, skipped=2)],
        [tick(5), gap(6, 7), tick(8)],
        [tick(5), gap(6, 7), gap(8, 8), tick(10, skipped=1)],
        [tick(5), gap(6, None), tick(9, snapshot=True)],
        [tick(5), gap(6, None), tick(3, epoch=2, snapshot=True)],
        [tick(5), EpochChange("AAPL", 2), tick(1, epoch=2)],
        [tick(5), gap(6, 9), EpochChange("AAPL", 2), gap(1, 2, epoch=2), tick(3, epoch=2)],
    ],
)
def test_order(told: list[Tick | Gap | EpochChange]) -> None:
    """Ticks in order, with what lies between named, are in order."""
    assert not faults(told)


@pytest.mark.parametrize(
    "told",
    [
        [tick(5), tick(5)],
        [tick(5), tick(4)],
        [tick(5), tick(7)],
        [tick(5), tick(7, snapshot=True)],
        [tick(5), tick(7, skipped=2)],
        [tick(5), gap(6, 7), tick(9)],
        [tick(5), gap(6, 8), tick(8)],
        [tick(5), gap(6, None), tick(9)],
        [tick(5), tick(1, epoch=2)],
        [tick(5), tick(1, epoch=2, snapshot=True)],
        [tick(5), EpochChange("AAPL", 2), tick(2, epoch=2)],
        [tick(5, epoch=2), EpochChange("AAPL", 1), tick(6, epoch=1)],
    ],
)
def test_disorder(told: list[Tick | Gap | EpochChange]) -> None:
    """A tick again, or one after a hole that nobody named, is found."""
    assert len(faults(told)) == 1


def test_resume() -> None:
    """Who goes on after a position expects the next one."""
    assert Iterated(Position(1, 5)).take(tick(6)) is None
    assert Iterated(Position(1, 5)).take(tick(7)) is not None


def faults(told: list[Tick | Gap | EpochChange]) -> list[str]:
    """Return what is found wrong."""
    seen = Iterated()
    found = []
    for event in told:
        if isinstance(event, Tick):
            found.append(seen.take(event))
        else:
            seen.told(event)
    return [fault for fault in found if fault is not None]
