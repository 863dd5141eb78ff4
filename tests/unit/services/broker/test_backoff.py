"""How long is waited between attempts."""

from __future__ import annotations

from functools import partial
from random import Random

from services.broker.backoff import BASE_S, CAP_S, DENIED_S, Backoff, jitter


def longest(most: float) -> float:
    """Draw the upper end."""
    return most


def test_the_limit_doubles_up_to_the_cap() -> None:
    """Failed attempts wait at most 0.1 s, then twice as long each time, never above 2 s."""
    backoff = Backoff(longest)
    assert [round(backoff.after(0.0), 3) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_an_outage_of_days_changes_nothing() -> None:
    """After 100,000 failures the limit is still the cap."""
    backoff = Backoff(longest)
    assert {backoff.after(0.0) for _ in range(100_000)} == {0.1, 0.2, 0.4, 0.8, 1.6, 2.0}


def test_a_connection_that_stood_starts_anew() -> None:
    """After a connection of 2 s or more the first wait is short again; a shorter one counts as a failure."""
    backoff = Backoff(longest)
    for _ in range(6):
        backoff.after(0.0)
    assert backoff.after(CAP_S - 0.1) == CAP_S
    assert backoff.after(CAP_S) == BASE_S


def test_a_wait_may_be_anything_below_the_limit() -> None:
    """Jitter is full: of 1,000 fleets some wait less than a tenth of the limit and some more than nine tenths."""
    seeded = [Backoff(partial(Random(seed).uniform, 0.0)).after(0.0) for seed in range(1_000)]
    for waits in (seeded, [Backoff(jitter).after(0.0) for _ in range(1_000)]):
        assert all(0 <= w <= BASE_S for w in waits)
        assert min(waits) < BASE_S / 10
        assert max(waits) > BASE_S * 0.9


def test_refused_credentials_are_tried_less_than_once_a_second() -> None:
    """However the dice fall, two attempts with refused credentials are more than a second apart."""
    shortest = Backoff(lambda _: 0.0)
    assert {shortest.after(0.0, denied=True) for _ in range(10)} == {DENIED_S}
    assert [round(Backoff(longest).after(0.0, denied=denied), 3) for denied in (False, True)] == [0.1, 1.1]
