"""Unit tests of `gateway.admission.stay`."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.stay import WARNING_S, Stay, Turn

TIMES = st.floats(0, 1_000_000)


def test_a_token_is_warned_of_once_and_then_ends() -> None:
    """A token's bearer is told 60 s before its end, once, and the end comes when it was said."""
    stay = Stay(old_at=10_000)
    stay.grant(1_000)

    assert stay.look(939.9) is Turn.NOTHING
    assert stay.next == 1_000 - WARNING_S
    assert stay.look(940) is Turn.WARN
    assert stay.look(941) is Turn.NOTHING
    assert stay.next == 1_000
    assert stay.look(1_000) is Turn.EXPIRED


def test_a_new_token_replaces_the_old_one() -> None:
    """A refresh moves warning and end, and is warned of again."""
    stay = Stay(old_at=inf)
    stay.grant(100)
    assert stay.look(50) is Turn.WARN
    stay.grant(200)

    assert stay.look(101) is Turn.NOTHING
    assert stay.look(140) is Turn.WARN
    assert stay.look(200) is Turn.EXPIRED


def test_a_token_must_come_in_time() -> None:
    """A connection without a token ends at the deadline, unless a token came before."""
    late, early = Stay(old_at=inf, token_by=5), Stay(old_at=inf, token_by=5)
    early.grant(inf)

    assert late.look(4.9) is Turn.NOTHING
    assert late.look(5) is Turn.UNASKED
    assert early.look(5) is Turn.NOTHING
    assert early.next == inf


def test_a_connection_grows_old() -> None:
    """The age counts whatever the token says."""
    stay = Stay(old_at=50)
    stay.grant(inf)

    assert stay.look(49) is Turn.NOTHING
    assert stay.look(50) is Turn.OLD


@given(TIMES, st.one_of(st.none(), TIMES), TIMES)
def test_nothing_is_due_before_next(old_at: float, expires: float | None, now: float) -> None:
    """`look` says nothing before `next`, and something at it."""
    stay = Stay(old_at=old_at)
    if expires is not None:
        stay.grant(expires)
    due = stay.next

    assert (stay.look(now) is Turn.NOTHING) == (now < due)
