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
    """Not one byte was acknowledged for too long."""


class Backlog:
    """One spell during which a transport holds bytes that the socket did not take; it begins at *now* (seconds).

    *left*: bytes that the client has not acknowledged, in transport and kernel.  *slow*: that the client is slow
    was said before, and needs not be said again.
    """

    __slots__ = ("_left", "_moved", "_since", "slow")

    def __init__(self, now: float, left: int, *, slow: bool = False) -> None:
        self._since = self._moved = now
        self._left = left
        self.slow = slow

    def look(self, now: float, buffered: int, waiting: int, *, queued: int = 0, stuck_s: float) -> Verdict:
        """Judge *buffered* bytes in the transport, *waiting* ones behind it and *queued* ones in the kernel.

        Progress is what the client's machine has acknowledged.  What the kernel takes from us would not do: it
        takes more only once half of `TCP_NOTSENT_LOWAT` was acknowledged.  A client with a receive buffer of 4 KB
        that reads 1 KB/s acknowledges 5.7 KB every 5.7 s, and the kernel takes something every 11 s (measured).
        More bytes than before say nothing: a close frame or a pong may have been added.
        """
        if not buffered:
            return Verdict.WAIT  # all was taken, and the transport says so next
        left = buffered + queued
        if left < self._left:
            self._moved = now
        self._left = left
        if now - self._moved >= stuck_s:
            return Verdict.STUCK
        if not self.slow and (buffered + waiting > ROOM_BYTES or now - self._since >= SLOW_S):
            self.slow = True
            return Verdict.SLOW
        return Verdict.WAIT
