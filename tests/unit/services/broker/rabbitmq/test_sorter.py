"""Whose a message is that came through a queue of several symbols."""

from __future__ import annotations

from services.broker.rabbitmq.deliveries import Batch, Entry
from services.broker.rabbitmq.link import ignore
from services.broker.rabbitmq.sorter import Sorter
from services.market.symbol import Symbol

A, B = Symbol("A"), Symbol("BRK.B")
KEYS = {"tick.A": A, "tick.BRK.B": B}


def batch(*entries: Entry) -> Batch:
    """What one read brought for one queue."""
    return Batch(1, list(entries), 1, None)


def test_a_message_is_its_keys() -> None:
    """A message belongs to the symbol of its routing key, in the order it came, whatever its body says."""
    sorter = Sorter(ignore)
    sorter.sort(KEYS, batch(("tick.BRK.B", "i", b"1"), ("tick.A", None, b"2")))
    sorter.sort(KEYS, batch(("tick.BRK.B", "j", b"3")))
    assert sorter.take() == [(B, "i", b"1"), (A, None, b"2"), (B, "j", b"3")]
    assert sorter.take() == []


def test_what_nobody_follows_is_counted_and_dropped() -> None:
    """Each tick of a message by a key that is not bound any more counts as unwanted, and goes nowhere."""
    unwanted: list[int] = []
    sorter = Sorter(unwanted.append)
    sorter.sort(KEYS, batch(("tick.C", "i", b"1\n2\n3"), ("tick.A", "i", b"4"), ("tick.BRK", "i", b"5")))
    sorter.sort(KEYS, batch(("tick.A", "i", b"6")))
    assert unwanted == [4]
    assert [body for _, _, body in sorter.take()] == [b"4", b"6"]
