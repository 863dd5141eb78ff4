"""Which ticks are chosen."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sampling import Sampling


@given(every=st.integers(1, 50), ticks=st.integers(0, 300), seed=st.integers(0, 99))
def test_each_run_of_ticks_has_one_chosen(every: int, ticks: int, seed: int) -> None:
    """Of messages with one tick each exactly one in each run of *every* is chosen."""
    chosen = Sampling(every, Random(seed).randrange).choose([1] * ticks)
    assert [index // every for index in chosen][: ticks // every] == list(range(ticks // every))
    assert len(chosen) <= -(-ticks // every)


@given(lengths=st.lists(st.lists(st.integers(1, 9), max_size=9), max_size=9), every=st.integers(1, 20))
def test_a_message_is_chosen_by_the_ticks_in_it(lengths: list[list[int]], every: int) -> None:
    """However ticks are put into messages and calls, the message of each chosen tick is named, once."""
    alone, together = (Sampling(every, Random(7).randrange) for _ in range(2))
    begun = 0
    for call in lengths:
        expected = []
        for index, length in enumerate(call):
            if alone.choose([1] * length):
                expected.append(index)
            begun += length
        assert together.choose(call) == expected


@pytest.mark.parametrize("every", [1, 2])
def test_the_smallest_distances(every: int) -> None:
    """1 chooses every message, and 2 what the dice say of each pair."""
    assert Sampling(every, lambda below: below - 1).choose([1] * 6) == list(range(every - 1, 6, every))


def test_any_tick_of_a_run_may_be_chosen() -> None:
    """Over many runs each place in a run is chosen about as often: a rhythm of the feed meets no rhythm here."""
    chosen = Sampling(10, Random(1).randrange).choose([1] * 100_000)
    counts = [sum(index % 10 == place for index in chosen) for place in range(10)]
    assert sum(counts) == 10_000
    assert min(counts) > 900
