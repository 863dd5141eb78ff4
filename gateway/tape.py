"""The tape of one symbol: its newest position and the consecutive ticks that end there.  Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from services.market.position import Position

RING_TICKS: Final = 1_000
"""Most ticks that a tape keeps: 20 s of a symbol with 50 ticks/s."""
RING_BYTES: Final = 256 * 1024
"""Most bytes that a tape keeps."""


class Tape:
    """What every follower of a symbol shares.

    *newest* is the largest position accepted, None before the first; *ring* holds consecutive ticks of its epoch,
    the last of them at *newest*.  The ring is empty where *newest* was set by a mark and its tick never came.
    """

    __slots__ = ("newest", "ring", "size")

    def __init__(self) -> None:
        self.newest: Position | None = None
        self.ring: deque[bytes] = deque()
        self.size = 0

    def add(self, epoch: int, first: int, lines: Sequence[bytes], size: int) -> bool:
        """Take consecutive ticks above *newest*; return False where they leave a hole behind them.

        *size* is the sum of the lines' bytes.
        """
        newest = self.newest
        joined = newest is not None and newest[0] == epoch and newest[1] + 1 == first
        if not joined:
            self.ring.clear()
            self.size = 0
        self.ring.extend(lines)
        self.size += size
        self.newest = Position(epoch, first + len(lines) - 1)
        ring = self.ring
        while len(ring) > RING_TICKS or (self.size > RING_BYTES and len(ring) > 1):
            self.size -= len(ring.popleft())
        return joined

    def jump(self, position: Position) -> None:
        """Let *newest* be a position whose tick nobody has."""
        self.newest = position
        self.ring.clear()
        self.size = 0

    @property
    def oldest(self) -> Position | None:
        """The position of the first tick in the ring; None where the ring is empty."""
        if self.newest is None or not self.ring:
            return None
        return Position(self.newest.epoch, self.newest.seq - len(self.ring) + 1)

    def reaches(self, cursor: Position) -> bool:
        """Whether the ring holds the tick that follows *cursor*."""
        newest = self.newest
        if newest is None or cursor.epoch != newest.epoch:
            return False
        return newest.seq - len(self.ring) <= cursor.seq < newest.seq

    def after(self, cursor: Position) -> Iterator[bytes]:
        """The ring's ticks that follow *cursor*, which `reaches` must hold for."""
        newest = self.newest
        if newest is None:
            return iter(())
        return islice(self.ring, cursor.seq - newest.seq + len(self.ring), None)
