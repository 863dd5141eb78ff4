"""Who the simulated clients are."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.load.plan import AWAY_S, BEGIN_PER_S, MIX, STAY_S, Kind, Member, members

NAMES = [f"S{n:03}" for n in range(100)]


def _members(clients: int, *, each: int = 10, seed: int = 1) -> list[Member]:
    return members(clients, names=NAMES, each=each, seed=seed)


def test_each_kind_has_its_share() -> None:
    """Of any number of clients each kind has its share, one more or less."""
    found: Counter[Kind] = Counter()
    for clients, member in enumerate(_members(1_000), 1):
        found[member.kind] += 1
        assert all(abs(found[kind] - clients * percent / 100) <= 1 for kind, percent in MIX.items()), clients


def test_shares_are_all() -> None:
    """The shares of all kinds are 100 percent."""
    assert set(MIX) == set(Kind)
    assert sum(MIX.values()) == 100


def test_they_begin_one_after_another() -> None:
    """Clients begin at the rate that is named, in the order of their numbers."""
    begins = [member.begin_s for member in _members(2 * BEGIN_PER_S)]

    assert begins == sorted(begins)
    assert (begins[0], begins[BEGIN_PER_S]) == (0.0, 1.0)


def test_the_same_seed_makes_the_same_clients() -> None:
    """The same seed makes the same visits, another one others."""
    first, again, other = (
        [list(islice(member.visits(), 3)) for member in _members(40, seed=seed)] for seed in (7, 7, 8)
    )

    assert first == again
    assert first != other


@pytest.mark.parametrize("kind", [Kind.STEADY, Kind.PACED, Kind.SLOW])
def test_some_stay(kind: Kind) -> None:
    """Clients that do not come and go stay until the end, with the same symbols should they have to come back."""
    visits = [list(islice(member.visits(), 3)) for member in _members(40) if member.kind is kind]

    assert visits
    assert all(visit.stay_s is None for several in visits for visit in several)
    assert all(len({visit.symbols for visit in several}) == 1 for several in visits)


@pytest.mark.parametrize("kind", STAY_S)
def test_some_come_and_go(kind: Kind) -> None:
    """Clients that come and go stay and are away for as long as is named; those who resume keep their symbols."""
    low, high = STAY_S[kind]
    for member in (member for member in _members(40) if member.kind is kind):
        visits = list(islice(member.visits(), 50))
        assert all(visit.stay_s is not None and low <= visit.stay_s <= high for visit in visits)
        assert all(AWAY_S[0] <= visit.away_s <= AWAY_S[1] for visit in visits)
        assert (len({visit.symbols for visit in visits}) > 1) is (kind is Kind.VISITING)


@given(st.integers(min_value=1, max_value=200), st.integers(min_value=0, max_value=2**63 - 1))
def test_symbols(each: int, seed: int) -> None:
    """Each follows as many different names as it should, or all there are; a slow client follows everything."""
    for member in _members(20, each=each, seed=seed):
        symbols = next(member.visits()).symbols
        assert len(set(symbols)) == len(symbols)
        assert len(symbols) == (len(NAMES) if member.kind is Kind.SLOW else min(each, len(NAMES)))


def test_popular_names() -> None:
    """The first names are followed by more clients than the last."""
    followed = Counter(
        symbol
        for member in _members(400)
        if member.kind is Kind.STEADY
        for symbol in next(member.visits()).symbols
    )

    assert sum(followed[name] for name in NAMES[:10]) > 3 * sum(followed[name] for name in NAMES[-10:])


def test_only_the_paced_ask_for_less() -> None:
    """A rate is asked for by those who ask for less, and by nobody else."""
    assert all((member.max_rate is not None) is (member.kind is Kind.PACED) for member in _members(100))
