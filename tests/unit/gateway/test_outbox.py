"""What waits for one client."""

from __future__ import annotations

from typing import Any

from gateway.frames import Pong
from gateway.outbox import ROOM_BYTES, Outbox


class Bell:
    """An outbox, and what it touches and how often it wakes."""

    def __init__(self) -> None:
        self.touched: list[Any] = []
        self.woken = 0
        self.outbox = Outbox("me", self.touched, self.wake)

    def wake(self) -> None:
        """Count."""
        self.woken += 1


def test_the_first_entry_touches_its_owner_once() -> None:
    """Only an empty outbox says that it has something now."""
    bell = Bell()
    bell.outbox.tick(b"a")
    bell.outbox.say(Pong(1))
    assert bell.touched == [bell.outbox]
    assert bell.woken == 1
    bell.outbox.take()
    bell.outbox.say(Pong(2))
    assert bell.touched == [bell.outbox, bell.outbox]
    assert bell.woken == 2


def test_entries_keep_their_order() -> None:
    """Ticks and frames come out as they came in, and then nothing is left."""
    outbox = Bell().outbox
    outbox.tick(b"a\nb")
    outbox.say(Pong(1))
    outbox.tick(b"c")
    assert outbox.take() == [b"a\nb", Pong(1), b"c"]
    assert not outbox.entries


def test_a_frame_makes_it_odd_until_it_is_taken() -> None:
    """Ticks alone are the simple case; a frame ends it until everything is taken."""
    outbox = Bell().outbox
    outbox.tick(b"a")
    assert [outbox.odd] == [False]
    outbox.say(Pong(1))
    assert [outbox.odd] == [True]
    outbox.take()
    assert [outbox.odd] == [False]


def test_who_is_alone_is_always_odd() -> None:
    """A client with words of its own is never the simple case, taken or not."""
    bell = Bell()
    outbox = Outbox("me", bell.touched, bell.wake, alone=True)
    assert [outbox.odd] == [True]
    outbox.tick(b"a")
    assert outbox.take() == [b"a"]
    assert [outbox.odd] == [True]


def test_size_counts_ticks_only() -> None:
    """The size is that of the ticks: frames are bounded by the commands that asked for them."""
    outbox = Bell().outbox
    outbox.tick(b"abc")
    outbox.say(Pong(1))
    outbox.tick(b"de")
    assert outbox.size == 5


def test_a_denied_room_is_remembered() -> None:
    """Who finds no room is waited for: full, or while the socket takes nothing."""
    outbox = Bell().outbox
    outbox.tick(b"x" * (ROOM_BYTES - 1))
    assert outbox.room()
    assert [outbox.awaited] == [False]
    outbox.tick(b"x")
    assert not outbox.room()
    assert [outbox.awaited] == [True]
    assert [outbox.odd] == [True]
    outbox.take()
    assert [outbox.awaited] == [False]
    outbox.blocked = True
    assert not outbox.room()
    assert [outbox.awaited] == [True]
