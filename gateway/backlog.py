"""Whether a client that takes nothing at the moment is late, slow, or stuck.  Pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from gateway.outbox import ROOM_BYTES

SLOW_S: Final = 0.5
"""Seconds that data may wait unsent before the client conflates (`docs/architecture.md`)."""


class Verdict(Enum):
    """What follows from a look at a backlog."""

    WAIT = auto()
    SLOW = auto()
    """Said once: from now on the client gets only what is newest."""
    STUCK = auto()
    """Not one byte was taken for too long."""


class Backlog:
    """One spell during which a socket holds unsent bytes; it begins with *buffered* of them at *now* (seconds).

    *slow*: that the client is slow was said before, and needs not be said again.
    """

    __slots__ = ("_buffered", "_moved", "_since", "slow")

    def __init__(self, now: float, buffered: int, *, slow: bool = False) -> None:
        self._since = self._moved = now
        self._buffered = buffered
        self.slow = slow

    def look(self, now: float, buffered: int, waiting: int, *, stuck_s: float) -> Verdict:
        """Judge *buffered* bytes in the socket's buffer and *waiting* ones behind it, at *now*.

        A buffer that grew says nothing: a close frame or a pong may have been added to it.
        """
        if not buffered:
            return Verdict.WAIT  # all was taken, and the transport says so next
        if buffered < self._buffered:
            self._moved = now
        self._buffered = buffered
        if now - self._moved >= stuck_s:
            return Verdict.STUCK
        if not self.slow and (buffered + waiting > ROOM_BYTES or now - self._since >= SLOW_S):
            self.slow = True
            return Verdict.SLOW
        return Verdict.WAIT
