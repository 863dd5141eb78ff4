"""What waits to be said to one client, in order.  Pure.

Two kinds of content: ticks, as bytes that all clients share, and frames.  The outbox never blocks and never
drops: whoever fills it asks `room` first where the content can wait (replay), and the session reports a client
that does not drain, upon which recovery conflates.  So what lies here is bounded by `ROOM_BYTES` plus one pass
of live ticks plus the answers to the commands that admission lets through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gateway.frames import Frame

ROOM_BYTES: Final = 64 * 1024
"""Bytes of ticks that may wait before a replay pauses and a live client counts as slow."""


class Outbox:
    """Content for one client.  *wake* is called once when an empty outbox gets its first entry."""

    __slots__ = ("_wake", "blocked", "entries", "size")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.entries: list[bytes | Frame] = []
        """Ticks (bytes) and frames in the order in which they must be said."""
        self.size = 0
        """Bytes of the ticks in *entries*."""
        self.blocked = False
        """Set by the session while its socket takes nothing more; replay waits meanwhile."""

    @property
    def room(self) -> bool:
        """Whether content that can wait may be added now."""
        return not self.blocked and self.size < ROOM_BYTES

    def tick(self, line: bytes) -> None:
        """Add one tick."""
        if not self.entries:
            self._wake()
        self.entries.append(line)
        self.size += len(line)

    def ticks(self, lines: Sequence[bytes], size: int) -> None:
        """Add ticks whose bytes sum up to *size*."""
        if not self.entries:
            self._wake()
        self.entries.extend(lines)
        self.size += size

    def say(self, frame: Frame) -> None:
        """Add a frame."""
        if not self.entries:
            self._wake()
        self.entries.append(frame)

    def take(self) -> list[bytes | Frame]:
        """Return everything and be empty."""
        entries, self.entries, self.size = self.entries, [], 0
        return entries
