"""What was answered a moment ago."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.wires.http.memo import Memo


def test_age() -> None:
    """A value is there as long as it is young enough for who asks."""
    memo: Memo[str, int] = Memo()
    memo.put("a", 1, 10, now=5.0)
    assert (memo.get("a", 5.0), memo.get("a", 5.1), memo.get("b", 0.0)) == (1, None, None)
    memo.expire(5.1)
    assert (len(memo), memo.bytes) == (0, 0)


def test_one_that_is_too_large() -> None:
    """A single value is kept however large it is: the next one takes its place."""
    memo: Memo[str, int] = Memo(size=5)
    memo.put("a", 1, 10, now=1.0)
    assert memo.get("a", 0.0) == 1
    memo.put("b", 2, 10, now=1.0)
    assert (memo.get("a", 0.0), memo.get("b", 0.0), memo.bytes) == (None, 2, 10)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60))
def test_bounds(puts: list[tuple[int, int]]) -> None:
    """Neither bound is ever passed, and the newest value is there."""
    memo: Memo[int, int] = Memo(entries=4, size=50)
    kept: dict[int, int] = {}
    for now, (key, size) in enumerate(puts):
        memo.put(key, now, size, float(now))
        kept[key] = size
        assert len(memo) <= 4
        assert 0 <= memo.bytes <= 50
        assert memo.get(key, 0.0) == now
        assert memo.bytes == sum(size for each, size in kept.items() if memo.get(each, 0.0) is not None)
