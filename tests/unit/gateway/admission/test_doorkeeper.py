"""Unit tests of `gateway.admission.doorkeeper`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission import refusal
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.census import Census
from gateway.admission.doorkeeper import Caller, Doorkeeper, Seat
from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.admission.refusal import Refusal
from gateway.admission.revoked import Revoked
from services.broker.revocations import Revocation

NOW = 1_000.0


def caller(key: str = "10.0.0.1", origin: str | None = None) -> Caller:
    """Somebody at *key*."""
    return Caller(key, key, origin, "ticker.example", secure=True)


class House:
    """A doorkeeper with a house that may be full."""

    def __init__(self, *, per_address: int = 3, per_subject: int = 2, burst: int = 5) -> None:
        self.room: Refusal | None = None
        self.census = Census(max_per_address=per_address, max_per_subject=per_subject, rate=1, burst=burst)
        self.revoked = Revoked()
        self.keeper = Doorkeeper(lambda: self.room, self.census, self.revoked, frozenset())

    def seat(self, who: Caller, entitlement: Entitlement | None = ANYBODY) -> Seat:
        """A place that must be there."""
        seat = self.keeper.seat(who, entitlement)
        assert isinstance(seat, Seat)
        return seat


def test_a_full_house_comes_first() -> None:
    """Where there is no room nobody is looked at, and no handshake is counted against its address."""
    house = House(burst=1)
    house.room = refusal.FULL
    for _ in range(3):
        assert house.keeper.greet(caller(), NOW) is refusal.FULL
    house.room = None

    assert house.keeper.greet(caller(), NOW) is None
    house.room = refusal.DRAINING
    assert house.keeper.seat(caller(), ANYBODY) is refusal.DRAINING


def test_who_knocks_too_often_is_told_for_how_long() -> None:
    """Beyond its burst an address is told after how many seconds, at least one, it may come back."""
    house = House(burst=2)
    for _ in range(2):
        assert house.keeper.greet(caller(), NOW) is None
    refused = house.keeper.greet(caller(), NOW)

    assert refused is not None
    assert (refused.handshake, refused.retry_after_s) == (refusal.TOO_FAST.handshake, 2)
    assert house.keeper.greet(caller("10.0.0.2"), NOW) is None


def test_origins() -> None:
    """A page of another host is refused, one of this host is not."""
    house = House()

    assert house.keeper.greet(caller(origin="https://ticker.example"), NOW) is None
    assert house.keeper.greet(caller(origin="http://ticker.example"), NOW) is refusal.ORIGIN
    assert house.keeper.greet(caller(origin="null"), NOW) is refusal.ORIGIN


def test_a_plain_request_takes_no_place() -> None:
    """A gateway that is full answers plain requests, one that is about to end does not; nothing is counted."""
    house = House(burst=1)
    house.room = refusal.FULL
    for _ in range(5):
        assert house.keeper.visit(caller()) is None
    assert house.keeper.visit(caller(origin="https://other.example")) is refusal.ORIGIN
    house.room = refusal.DRAINING
    assert house.keeper.visit(caller()) is refusal.DRAINING
    house.room = None
    assert house.keeper.greet(caller(), NOW) is None
    assert house.census.addresses == 0


def test_a_place_without_a_token_becomes_somebody_s() -> None:
    """A place whose token comes later counts for its subject from then on, until its client has gone."""
    house = House(per_subject=1)
    first, second = house.seat(caller(), None), house.seat(caller(), None)
    alice = Entitlement(subject="alice")

    assert first.entitle(alice) is None
    assert second.entitle(alice) is refusal.SUBJECT_FULL
    assert (first.subject, second.subject) == ("alice", None)
    first.leave()
    assert second.entitle(alice) is None
    second.leave()
    assert (house.census.addresses, house.census.subjects) == (0, 0)


def test_who_left_meanwhile_is_not_counted() -> None:
    """A client that goes while its token is checked takes nothing of its subject's places, and leaves but once."""
    house = House(per_subject=1)
    seat = house.seat(caller(), None)
    seat.leave()
    assert seat.entitle(Entitlement(subject="alice")) is None
    seat.leave()

    assert (house.census.addresses, house.census.subjects) == (0, 0)
    assert isinstance(house.keeper.seat(caller(), Entitlement(subject="alice")), Seat)


def test_a_place_stays_its_subject_s() -> None:
    """A token of another subject does not take a place over; one of the same does, and counts once."""
    house = House(per_subject=1)
    seat = house.seat(caller(), Entitlement(subject="alice"))
    with pytest.raises(TokenRefused) as refused:
        seat.entitle(Entitlement(subject="bob"))
    newer = Entitlement(subject="alice", max_rate=1)

    assert refused.value.reason is Reason.SUBJECT
    assert seat.entitle(newer) is None
    assert seat.entitlement is newer
    seat.leave()
    assert house.census.subjects == 0


def test_a_revoked_token_is_refused() -> None:
    """A token that was called back lets nobody in."""
    house = House()
    house.revoked.add([Revocation(NOW, token_id="t")], NOW)  # noqa: S106 - a token's name

    with pytest.raises(TokenRefused) as refused:
        house.keeper.check(Entitlement(token_id="t"))  # noqa: S106
    assert refused.value.reason is Reason.REVOKED
    house.keeper.check(Entitlement(token_id="u"))  # noqa: S106


def test_a_place_is_looked_at_again() -> None:
    """What happened while a client was being answered counts: a full or ending house, a token called back."""
    house = House()
    seats = [house.seat(caller(), Entitlement(subject="alice", issued=NOW)) for _ in range(2)]
    house.room = refusal.DRAINING
    assert house.keeper.confirm(seats[0]) is refusal.DRAINING
    house.room = None
    assert house.keeper.confirm(seats[1]) is None
    house.revoked.add([Revocation(NOW, subject="alice")], NOW)

    assert house.keeper.confirm(seats[1]) is refusal.REFUSED
    assert (house.census.addresses, house.census.subjects) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, "x", "y"]), st.booleans()), max_size=40))
def test_no_limit_is_passed_and_none_leaks(moves: list[tuple[str, str | None, bool]]) -> None:
    """Whoever comes and goes, no address or subject has more places than it may; in the end none is taken."""
    house, seats = House(), list[tuple[str, Seat]]()
    for key, subject, comes in moves:
        if comes:
            seat = house.keeper.seat(caller(key), Entitlement(subject=subject))
            if isinstance(seat, Seat):
                seats.append((key, seat))
        elif seats:
            seats.pop(0)[1].leave()
        for name in "abc":
            assert sum(at == name for at, _ in seats) <= 3
        for name in ("x", "y"):
            assert sum(seat.subject == name for _, seat in seats) <= 2
    for _, seat in seats:
        seat.leave()
    assert (house.census.addresses, house.census.subjects) == (0, 0)
