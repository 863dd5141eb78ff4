"""The wheel of deadlines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.wheel import SLOTS, Wheel


def test_comes_up_once_when_due() -> None:
    """An item comes up in the turn after its time, and then no more."""
    wheel: Wheel[str] = Wheel(0.25, 100.0)
    wheel.put("a", 101.0)
    assert wheel.due(100.9) == []
    assert wheel.due(101.3) == ["a"]
    assert wheel.due(110.0) == []
    assert len(wheel) == 0


def test_put_again_moves() -> None:
    """The last time given counts."""
    wheel: Wheel[str] = Wheel(0.25, 0.0)
    wheel.put("a", 1.0)
    wheel.put("a", 3.0)
    assert wheel.due(2.0) == []
    assert wheel.due(3.25) == ["a"]


def test_dropped_never_comes_up() -> None:
    """A dropped item is forgotten, and dropping what is not there does nothing."""
    wheel: Wheel[str] = Wheel(0.25, 0.0)
    wheel.put("a", 1.0)
    wheel.drop("a")
    wheel.drop("b")
    assert wheel.due(10.0) == []


@given(
    st.lists(st.floats(0, SLOTS * 0.25 - 1), max_size=50),
    st.lists(st.floats(0.01, 50), max_size=50),
)
def test_nothing_is_early_or_lost(dues: list[float], steps: list[float]) -> None:
    """However time moves, each item comes up exactly once, not before its time and at most two turns after it."""
    wheel: Wheel[int] = Wheel(0.25, 0.0)
    for item, due in enumerate(dues):
        wheel.put(item, due)
    now, before, seen = 0.0, 0.0, []
    for step in [*steps, SLOTS * 0.25]:
        now += step
        for item in wheel.due(now):
            assert now >= dues[item]
            assert before <= dues[item] + 0.5
            seen.append(item)
        before = now
    assert sorted(seen) == list(range(len(dues)))
