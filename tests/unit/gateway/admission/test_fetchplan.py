"""When a set of keys is fetched."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.fetchplan import ABSENT_S, EXTRA_S, MOST_NAMES, REFRESH_S, FetchPlan


def test_the_first_is_due_at_once_then_every_five_minutes() -> None:
    """A good fetch is followed by the next one 300 s later."""
    plan = FetchPlan()
    assert plan.due < 0
    plan.fetched([], 10.0)
    assert plan.due == 10.0 + REFRESH_S


def test_failures_wait_longer_each_time() -> None:
    """A failed fetch is repeated after 1 s, then twice as long each time up to 60 s; a good one starts anew."""
    plan = FetchPlan()
    waits = []
    for _ in range(2_000):
        plan.failed(0.0)
        waits.append(plan.due)
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert waits[-1] == 60
    plan.fetched([], 0.0)
    plan.failed(0.0)
    assert plan.due == 1


def test_an_unknown_key_has_one_extra_fetch() -> None:
    """A name that is not in the set brings one fetch forward; the next one may do so 60 s later."""
    plan = FetchPlan()
    plan.fetched(["old"], 0.0)

    assert plan.seek("new", 10.0, pending=False)
    assert plan.due == 10.0
    plan.fetched(["old"], 10.0)
    assert not plan.seek("newer", 10.0 + EXTRA_S - 0.1, pending=False)
    assert plan.due == 10.0 + REFRESH_S
    assert plan.seek("newer", 10.0 + EXTRA_S, pending=False)


def test_a_fetch_that_comes_anyway_costs_nothing() -> None:
    """A name that joins a fetch leaves the extra one for others."""
    plan = FetchPlan()
    assert plan.seek("a", 0.0, pending=True)
    plan.fetched([], 0.0)
    assert plan.seek("b", 0.0, pending=False)


def test_an_absent_name_is_remembered() -> None:
    """A name that a fetch did not bring waits for no other fetch, extra or not, for 60 s."""
    plan = FetchPlan()
    assert plan.seek("bad", 0.0, pending=True)
    plan.fetched(["good"], 1.0)

    assert not plan.seek("bad", 1.0 + ABSENT_S - 0.1, pending=True)
    assert plan.seek("bad", 1.0 + ABSENT_S, pending=True)


def test_a_failed_fetch_says_nothing_of_names() -> None:
    """After a fetch that failed a name is looked for again with the next one."""
    plan = FetchPlan()
    assert plan.seek("new", 0.0, pending=True)
    plan.failed(1.0)
    assert plan.seek("new", 2.0, pending=True)


def test_names_are_bounded() -> None:
    """No more than 1,000 names are looked for at once, and none more are remembered."""
    plan = FetchPlan()
    assert all(plan.seek(f"a{n}", 0.0, pending=True) for n in range(MOST_NAMES))
    assert not plan.seek("one more", 0.0, pending=True)
    plan.fetched([], 0.0)
    assert all(plan.seek(f"b{n}", 1.0, pending=True) for n in range(MOST_NAMES))
    plan.fetched([], 1.0)
    assert len(plan._absent) == MOST_NAMES
    assert not plan.seek("b0", 2.0, pending=True)
    assert plan.seek("a0", 2.0, pending=True)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 50), st.booleans()), max_size=200))
def test_made_up_names_do_not_make_us_ask(steps: list[tuple[float, int, bool]]) -> None:
    """However many names come, and whatever the fetches bring, there is at most one extra fetch in 60 s."""
    plan, now, extra = FetchPlan(), 0.0, []
    plan.fetched([], now)
    for pause, name, good in steps:
        now += pause
        if plan.seek(str(name), now, pending=False):
            extra.append(now)
            if good:
                plan.fetched([], now)
            else:
                plan.failed(now)
    assert all(later - earlier >= EXTRA_S for earlier, later in pairwise(extra))
