"""Who is connected, and how often each may knock."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.admission.census import Census, Fullness


def census(**given: float) -> Census:
    """A census with room for 2 per address and 3 per subject, where nothing else is said."""
    return Census(**{"max_per_address": 2, "max_per_subject": 3, "rate": 10.0, "burst": 5, **given})  # type: ignore[arg-type]


def test_a_burst_then_a_rate() -> None:
    """Five knocks at once are welcome, then one each 0.1 s; who is not welcome hears when to come back."""
    book = census()
    assert [book.knock("a", 100.0) for _ in range(5)] == [None] * 5
    assert book.knock("a", 100.0) == pytest.approx(0.1)
    assert book.knock("a", 100.04) == pytest.approx(0.06)
    assert book.knock("b", 100.04) is None
    assert book.knock("a", 100.1) is None
    assert book.knock("a", 100.1) == pytest.approx(0.1)


@given(st.lists(st.floats(0, 3), max_size=200), st.integers(1, 10), st.floats(0.5, 50))
def test_never_more_than_burst_and_rate(pauses: list[float], burst: int, rate: float) -> None:
    """In any stretch of time at most burst + rate * stretch knocks are welcome, and who waits as told is."""
    book, now, welcome = census(burst=burst, rate=rate), 0.0, []
    for pause in pauses:
        now += pause
        wait = book.knock("a", now)
        if wait is None:
            welcome.append(now)
        else:
            assert 0 < wait <= 1 / rate + 1e-6
    for first, begin in enumerate(welcome):
        for last in range(first, len(welcome)):
            assert last - first + 1 <= burst + rate * (welcome[last] - begin) + 1e-6


def test_waiting_as_told_suffices() -> None:
    """A knock after the seconds that the last answer named is welcome."""
    book, now = census(rate=3.0, burst=1), 0.0
    assert book.knock("a", now) is None
    for _ in range(1_000):
        wait = book.knock("a", now)
        assert wait is not None
        now += wait
        assert book.knock("a", now) is None


def test_full_buckets_are_forgotten() -> None:
    """Whose burst is whole again is forgotten as others knock, so the memory is that of the last 0.5 s."""
    book = census()
    for n in range(10_000):
        book.knock(f"address {n}", n / 100)
        assert book.buckets <= 52


def test_the_memory_is_bounded() -> None:
    """However many addresses knock at once, so many are remembered, and the one that knocked last stays."""
    book = census(most_addresses=100, burst=1, rate=0.1)
    for n in range(100_000):
        assert book.knock(f"2001:db8:{n:x}::/64", 0.0) is None
    assert book.buckets == 100
    assert book.knock(f"2001:db8:{99_999:x}::/64", 0.0) is not None


def test_who_is_forgotten_may_knock_again() -> None:
    """An address that others drove out of the memory is treated as one never seen: nobody is worse off."""
    book = census(most_addresses=2, burst=1, rate=0.1)
    assert [book.knock(name, 0.0) for name in "abca"] == [None] * 4


def test_limits_per_address_and_subject() -> None:
    """Two connections per address, three per subject, or as many as the token says."""
    book = census()
    assert [book.enter("a", None, None) for _ in range(3)] == [None, None, Fullness.ADDRESS]
    assert [book.enter(name, "s", None) for name in "bcde"] == [None, None, None, Fullness.SUBJECT]
    assert book.enter("d", "t", 1) is None
    assert book.enter("e", "t", 1) is Fullness.SUBJECT
    assert [book.enter(f"u{n}", "u", 50) for n in range(50)] == [None] * 50
    assert book.enter("u", "u", 50) is Fullness.SUBJECT
    book.leave("b", "s")
    assert book.enter("e", "s", None) is None


def test_who_is_refused_is_not_counted() -> None:
    """A connection that is not let in takes nobody's place."""
    book = census()
    book.enter("a", "s", 1)
    for _ in range(5):
        assert book.enter("a", "s", 1) is Fullness.SUBJECT
        assert book.enter("b", "s", 1) is Fullness.SUBJECT
    assert (book.addresses, book.subjects) == (1, 1)
    book.leave("a", "s")
    assert (book.addresses, book.subjects) == (0, 0)
    with pytest.raises(KeyError):
        book.leave("a", "s")


def test_a_subject_may_come_later() -> None:
    """A connection that says who it is after it has entered is counted from then on."""
    book = census()
    book.enter("a", None, None)
    assert book.claim("s", 1) is None
    assert book.claim("s", 1) is Fullness.SUBJECT
    book.leave("a", "s")
    assert book.claim("s", 1) is None


class Coming(RuleBasedStateMachine):
    """Connections that come and go, against plain counting."""

    def __init__(self) -> None:
        super().__init__()
        self.book = census()
        self.here: list[tuple[str, str | None]] = []

    @rule(address=st.sampled_from("abc"), subject=st.sampled_from(["s", "t", None]), most=st.none() | st.just(1))
    def enter(self, address: str, subject: str | None, most: int | None) -> None:
        """One comes."""
        addresses, subjects = Counter(a for a, _ in self.here), Counter(s for _, s in self.here)
        expected = None
        if addresses[address] >= 2:
            expected = Fullness.ADDRESS
        elif subject is not None and subjects[subject] >= (most or 3):
            expected = Fullness.SUBJECT
        assert self.book.enter(address, subject, most) is expected
        if expected is None:
            self.here.append((address, subject))

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """One goes."""
        if self.here:
            self.book.leave(*self.here.pop(data.draw(st.integers(0, len(self.here) - 1))))

    @invariant()
    def sizes(self) -> None:
        """Only who is here is known."""
        assert self.book.addresses == len({a for a, _ in self.here})
        assert self.book.subjects == len({s for _, s in self.here if s is not None})


TestComing = Coming.TestCase
