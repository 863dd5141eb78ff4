"""What waits to be said to one client, in order.  Pure.

Two kinds of content: ticks, as bytes that all clients share, and frames.  The outbox never blocks and never
drops: whoever fills it asks for `room` first where the content can wait (replay), and the session reports a client
that does not drain, upon which recovery conflates.  So what lies here is bounded by `ROOM_BYTES` plus one pass
of live ticks plus the answers to the commands that admission lets through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.admission.limits import TokenBucket
from gateway.frames import Frame

ROOM_BYTES: Final = 64 * 1024
"""Bytes of ticks that may wait before a replay pauses and a live client counts as slow."""


class Outbox:
    """Content for one client.

    An empty outbox that gets its first entry appends itself to *touched*, the list of those with something to say,
    and calls *wake*.  *owner* is the connection.  What a flush needs of that stands here, too: one object less per
    client and pass is 0.1 to 0.2 µs, where the kernel has emptied the processor's caches in between.

    *alone*: what is said to its client is in words of its own, which no other client can share.
    """

    __slots__ = (
        "allowance",
        "alone",
        "awaited",
        "behind",
        "blocked",
        "conflating",
        "entries",
        "fd",
        "odd",
        "owner",
        "said",
        "slowed",
        "touched",
        "wake",
    )

    def __init__(self, owner: Any, touched: list[Any], wake: Callable[[], object], *, alone: bool = False) -> None:
        self.owner = owner
        self.touched = touched
        self.wake = wake
        self.entries: list[bytes | Frame] | tuple[()] = ()
        """In the order in which it must be said: ticks as bytes, one or more consecutive ones of a symbol with a
        newline between, and frames.  No list while empty: a fresh one comes from memory that the processor has at
        hand, an old one, after all the others were written to, does not."""
        self.alone = alone
        self.odd = alone
        """Whether more than one plain write may be needed: there is a frame among the entries, *awaited*, or
        *alone*."""
        self.awaited = False
        """Whether somebody was denied `room`, and waits to be told that there is some."""
        self.blocked = False
        """Set by the session while its socket takes nothing more; replay waits meanwhile."""
        self.fd = -1
        """The socket, where the kernel may be given frames past the transport; -1: it may not, or it is gone."""
        self.allowance: TokenBucket | None = None
        """How many ticks of the past its client may still ask for, of all its symbols; None: any number."""
        self.conflating = self.slowed = self.behind = 0
        """Of how many symbols its client gets what is newest only, and of how many of these since it was slow; of
        how many it waits for ticks that it lacks.  The followers count themselves: to look at 100,000 of them at a
        scrape took 30 ms."""
        self.said = 0.0
        """When something was last said, in seconds."""

    @property
    def size(self) -> int:
        """Bytes of the ticks in *entries*.  Summed up when asked for: nobody asks for a client that keeps up."""
        return sum(len(entry) for entry in self.entries if isinstance(entry, bytes))

    @property
    def free(self) -> int:
        """Bytes of content that can wait which may be added; 0 or less: none."""
        return 0 if self.blocked else ROOM_BYTES - self.size

    def room(self) -> bool:
        """Whether content that can wait may be added now.  A no is remembered, see `await_room`."""
        if self.free > 0:
            return True
        self.await_room()
        return False

    def await_room(self) -> None:
        """Have the session tell the feed once there is room."""
        self.odd = self.awaited = True

    def tick(self, lines: bytes) -> None:
        """Add one tick, or consecutive ones of a symbol with a newline between."""
        self._add(lines)

    def say(self, frame: Frame) -> None:
        """Add a frame."""
        self.odd = True
        self._add(frame)

    def take(self) -> list[bytes | Frame]:
        """Return everything and be empty."""
        entries, self.entries = self.entries or [], ()
        self.odd, self.awaited = self.alone, False
        return entries

    def _add(self, entry: bytes | Frame) -> None:
        if self.entries:
            self.entries.append(entry)
        else:
            self.entries = [entry]
            self.touched.append(self)
            self.wake()
