"""How long is waited between attempts."""

from __future__ import annotations

from random import Random

from services.broker.rabbitmq.backoff import BASE_S, CAP_S, Backoff


class Longest(Random):
    """A generator that always draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        """Return *b*."""
        del a
        return b


def test_the_limit_doubles_up_to_the_cap() -> None:
    """Failed attempts wait at most 0.1 s, then twice as long each time, never above 2 s."""
    backoff = Backoff(Longest())
    assert [round(backoff.after(0.0), 3) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_a_connection_that_stood_starts_anew() -> None:
    """After a connection of 2 s or more the first wait is short again; a shorter one counts as a failure."""
    backoff = Backoff(Longest())
    for _ in range(6):
        backoff.after(0.0)
    assert backoff.after(CAP_S - 0.1) == CAP_S
    assert backoff.after(CAP_S) == BASE_S


def test_a_wait_may_be_anything_below_the_limit() -> None:
    """Jitter is full: of 1,000 fleets some wait less than a tenth of the limit and some more than nine tenths."""
    waits = [Backoff(Random(seed)).after(0.0) for seed in range(1_000)]
    assert all(0 <= w <= BASE_S for w in waits)
    assert min(waits) < BASE_S / 10
    assert max(waits) > BASE_S * 0.9
