"""Which lease message stays, when to write, when to look; against a queue that forgets acks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.broker.rabbitmq.leasehold import Due, Leasehold, Note, parse


def test_the_first_message_is_kept_and_told_once_all_were_seen() -> None:
    """A first message alone makes a holder; with others behind it, writing comes first."""
    hold = Leasehold(300.0)
    assert not hold.came(1, Note(5, "x")).drop
    assert (hold.held, hold.epoch) == (False, 5)
    assert hold.unseen(1)
    assert not hold.unseen(0)
    hold.hold(0.0)
    assert hold.held


def test_what_stands_before_the_own_message_is_dropped() -> None:
    """A holder that wrote drops spare messages until its own comes."""
    hold = Leasehold(300.0)
    hold.came(1, Note(5, "x"))
    hold.hold(0.0)
    hold.writes(Note(6, "own"))
    assert (hold.written(0.0), hold.settled) == (1, False)
    assert hold.came(2, Note(0, "spare")).drop
    assert hold.came(3, Note(6, "like it")).drop
    assert not hold.came(4, Note(6, "own")).drop
    assert (hold.epoch, hold.settled) == (6, True)


def test_a_later_epoch_is_kept_and_told() -> None:
    """A message with a later epoch is kept in place of the own one, which is dropped when it comes."""
    hold = Leasehold(300.0)
    hold.came(1, Note(5, "x"))
    hold.hold(0.0)
    hold.writes(Note(6, "own"))
    hold.written(0.0)
    arrival = hold.came(2, Note(9, "theirs"))
    assert (arrival.drop, arrival.later, hold.epoch) == (False, True, 9)
    hold.writes(Note(10, "next"))
    assert hold.written(0.0) == 2
    assert hold.came(3, Note(6, "own")).drop
    assert not hold.came(4, Note(10, "next")).drop


def test_renewal_is_due_after_its_time() -> None:
    """A held message is written again after the renewal time, counted from the last write."""
    hold = Leasehold(300.0)
    assert hold.due(0.0) is Due.LOOK
    hold.came(1, Note(5, "x"))
    hold.hold(100.0)
    assert hold.due(399.9) is Due.NOTHING
    assert hold.due(400.0) is Due.RENEW
    hold.writes(Note(5, "own"))
    hold.written(400.0)
    assert hold.due(401.0) is Due.LOOK
    hold.came(2, Note(5, "own"))
    assert (hold.due(699.9), hold.due(700.0)) == (Due.NOTHING, Due.RENEW)


def test_a_message_is_put_in_only_where_none_is_known() -> None:
    """Nothing in hand and nothing ready: then, and only then, a message may be missing."""
    hold = Leasehold(300.0)
    assert hold.lacks(0)
    assert not hold.lacks(1)
    hold.came(1, Note(0, "x"))
    assert not hold.lacks(0)


def test_strangers_bodies_are_epoch_0() -> None:
    """What no codec of ours wrote says nothing, whatever it is."""
    assert parse(b"1795000000000") == 1_795_000_000_000
    assert [parse(body) for body in (b"", b"-1", b"1.5", b"x", b"9" * 17, b"\xff")] == [0] * 6


@settings(max_examples=200, deadline=None)
@given(
    strangers=st.lists(st.integers(0, 20), max_size=6),
    first=st.integers(0, 20),
    late=st.lists(st.integers(0, 20), max_size=3),
)
def test_one_message_is_left_with_the_highest_epoch(strangers: list[int], first: int, late: list[int]) -> None:
    """Whatever is in the queue and comes in later, writing leaves one message, with the highest epoch."""
    queue = [Note(epoch, f"s{n}") for n, epoch in enumerate([first, *strangers])]
    hold, number, writes = Leasehold(300.0), 0, 0
    unacked: dict[int, Note] = {}

    def pump() -> None:
        nonlocal number
        while queue and not unacked:
            number += 1
            note = queue.pop(0)
            unacked[number] = note
            if hold.came(number, note).drop:
                del unacked[number]

    pump()
    while hold.unseen(len(queue)):
        writes += 1
        note = Note(hold.epoch, f"own{writes}")
        hold.writes(note)
        queue.append(note)
        queue += [Note(late.pop(), "late")] if late else []
        if (tag := hold.written(0.0)) is not None:
            del unacked[tag]
        pump()
        assert hold.settled
        assert writes < 20
    assert hold.epoch == max([first, *strangers, *(n.epoch for n in unacked.values())])
    assert [note.epoch for note in unacked.values()] == [hold.epoch]
    assert queue == []
