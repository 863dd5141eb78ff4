"""A position: which tick of a symbol, over all runs of its producer."""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """`(epoch, seq)`: ordered by epoch, then by sequence.  Compare positions of one symbol only.

    *epoch* names one run of a shard's producer (milliseconds since 1970 at its start, or one more than the
    last known epoch, whichever is larger); *seq* counts the symbol's ticks of that run from 1.
    """

    epoch: int
    seq: int

    @property
    def following(self) -> Position:
        """The next position of the same epoch."""
        return Position(self.epoch, self.seq + 1)
