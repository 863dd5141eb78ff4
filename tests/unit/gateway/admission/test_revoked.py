"""What a gateway remembers of revocations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.entitlement import ANYBODY, SUBJECT_CHARACTERS, Entitlement
from gateway.admission.revoked import REMEMBERED_S, Revoked
from services.broker.revocationlog import NAME_CHARACTERS
from services.broker.revocations import Revocation

NOW = 1_795_000_000.0
NAMES = st.sampled_from("abc")
TIMES = st.integers(0, 40).map(lambda tenths: NOW + tenths / 10)


def token(issued: float | None = NOW, *, subject: str | None = "alice", jti: str | None = "t1") -> Entitlement:
    """What a token of alice entitles to."""
    return Entitlement(subject=subject, token_id=jti, issued=issued)


def revoked(*revocations: Revocation, now: float = NOW, most: int = 10) -> Revoked:
    """What a gateway knows that heard of *revocations*."""
    known = Revoked(most)
    for revocation in revocations:
        known.add([revocation], now)
    return known


def test_a_token_id_ends_one_token() -> None:
    """A token called back by its id is revoked whenever it was issued, and no other of its subject is."""
    known = revoked(Revocation(NOW, None, "t1"))
    assert known.holds(token(NOW + 5))
    assert not known.holds(token(jti="t2"))
    assert not known.holds(token(subject="t1", jti=None))


@pytest.mark.parametrize(
    ("issued", "holds"), [(NOW - 9, True), (NOW, True), (NOW + 0.9, True), (NOW + 1, False), (None, True)]
)
def test_a_subject_ends_what_was_issued_before(issued: float | None, holds: bool) -> None:  # noqa: FBT001 - a table
    """Every token of a subject issued up to the second of the call is revoked, and one that does not say when."""
    assert revoked(Revocation(NOW + 0.3, subject="alice")).holds(token(issued)) is holds


def test_nobody_in_particular_is_never_revoked() -> None:
    """Who is let in without a token has neither subject nor id, so no revocation is about it."""
    assert not revoked(Revocation(NOW, subject="alice"), Revocation(NOW, None, "t1")).holds(ANYBODY)


def test_a_later_call_reaches_further() -> None:
    """Of two calls about a subject the later one counts, in whatever order they come."""
    calls = Revocation(NOW, subject="alice"), Revocation(NOW + 10, subject="alice")
    for order in (calls, calls[::-1]):
        known = revoked(*order)
        assert known.holds(token(NOW + 10))
        assert len(known) == 1


def test_it_forgets_after_eight_days() -> None:
    """A revocation is forgotten once it is older than any token, and counts as no overflow."""
    known = revoked(Revocation(NOW, None, "t1"))
    known.add([Revocation(NOW + REMEMBERED_S, None, "t2")], NOW + REMEMBERED_S)
    assert known.holds(token())
    known.add([], NOW + REMEMBERED_S + 1)
    assert not known.holds(token())
    assert (len(known), known.overflowed) == (1, 0)


def test_too_many_push_the_oldest_out() -> None:
    """Beyond the bound the first one heard of goes, and is counted."""
    known = revoked(*(Revocation(NOW, None, f"t{n}") for n in range(12)), most=10)
    assert (len(known), known.overflowed) == (10, 2)
    assert not known.holds(token())
    assert known.holds(token(jti="t2"))


def test_names_are_as_long_as_a_tokens() -> None:
    """Whatever a token may be called, a revocation can name."""
    assert NAME_CHARACTERS == SUBJECT_CHARACTERS


@given(
    st.lists(
        st.one_of(
            st.builds(Revocation, TIMES, subject=NAMES),
            st.builds(Revocation, TIMES, token_id=NAMES),
        )
    ),
    st.builds(Entitlement, subject=st.none() | NAMES, token_id=st.none() | NAMES, issued=st.none() | TIMES),
)
def test_it_holds_what_any_of_them_holds(revocations: list[Revocation], entitlement: Entitlement) -> None:
    """It says what a list of all revocations would say, in whatever order and however often they came."""

    def about(revocation: Revocation) -> bool:
        if revocation.token_id is not None:
            return revocation.token_id == entitlement.token_id
        issued = entitlement.issued
        return revocation.subject == entitlement.subject and (issued is None or int(issued) <= revocation.at)

    known = revoked(*revocations)
    known.add(revocations, NOW + 4)
    assert known.holds(entitlement) is any(map(about, revocations))
    assert len(known) <= 6
