"""The pace of streams."""

from __future__ import annotations

from gateway.wires.sse.pace import PACE_S, Pace


def test_rest() -> None:
    """Who was written to rests for 0.1 s; who rests longest is ready first."""
    pace: Pace[str] = Pace()
    pace.rest("a", 1.0)
    pace.rest("b", 1.05)

    assert (pace.resting("a"), pace.resting("c"), len(pace)) == (True, False, 2)
    assert pace.next == 1.0 + PACE_S
    assert pace.rested(1.0999) == []
    assert pace.rested(1.0 + PACE_S) == ["a"]
    assert (pace.resting("a"), pace.resting("b")) == (False, True)


def test_again() -> None:
    """A write during a rest begins another one."""
    pace: Pace[str] = Pace()
    pace.rest("a", 1.0)
    pace.rest("b", 1.01)
    pace.rest("a", 1.05)

    assert pace.rested(1.12) == ["b"]
    assert pace.rested(1.16) == ["a"]
    assert pace.next is None


def test_forget() -> None:
    """Who has gone is not named."""
    pace: Pace[str] = Pace()
    pace.rest("a", 1.0)
    pace.forget("a")
    pace.forget("b")

    assert pace.rested(9.0) == []
