"""A client's side of the promise: the last position of a symbol that is accounted for.  Pure.

Only the five frames of the protocol's cursor table move it; each method applies one of them and returns whether
that was legal.  An illegal frame still moves the cursor, so that one fault is counted once.
"""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """`(epoch, seq)`: ordered by epoch, then by seq.  Compare positions of one symbol only.

    *epoch* names one run of the symbol's producer; *seq* counts the symbol's ticks of that run from 1.
    """

    epoch: int
    seq: int


class Cursor:
    """The cursor of one symbol on one connection; `position` None: nothing is accounted for yet."""

    # Two integers instead of a Position: making one would cost a tenth of all that a tick costs.
    __slots__ = ("run", "seq", "subscribed")

    def __init__(self) -> None:
        self.run: int | None = None
        """The epoch of the position; None: there is no position."""
        self.seq = 0
        self.subscribed = False

    @property
    def position(self) -> Position | None:
        """The last position accounted for."""
        return None if self.run is None else Position(self.run, self.seq)

    def disconnect(self) -> None:
        """The connection is gone: the position stays, to resume from."""
        self.subscribed = False

    def subscribe(self, position: Position | None) -> bool:
        """`subscribed`: the position given, or null."""
        legal = not self.subscribed or position == self.position
        self.subscribed = True
        self._move(position)
        return legal

    def unsubscribe(self) -> None:
        """`unsubscribed`: nothing follows."""
        self.subscribed = False
        self._move(None)

    def snapshot(self, position: Position) -> bool:
        """`snapshot`: legal where nothing is accounted for yet."""
        legal = self.subscribed and self.run is None
        self._move(position)
        return legal

    def tick(self, seq: int, skipped: int) -> bool:
        """`ticks`: the next one, after *skipped* that conflation left out."""
        if self.run is None:  # its epoch is unknown: only a snapshot or a resume can give a position
            return False
        legal = self.subscribed and seq == self.seq + 1 + skipped and skipped >= 0
        self.seq = seq
        return legal

    def gap(self, epoch: int, first: int, last: int | None) -> bool:
        """`gap`: *first* to *last* are not coming; *last* None: the next tick comes as a snapshot."""
        legal = self.subscribed and (epoch, first) == (self.run, self.seq + 1) and (last is None or last >= first)
        self._move(None if last is None else Position(epoch, last))
        return legal

    def epoch(self, epoch: int) -> bool:
        """`epoch`: the ticks go on from seq 1 of a later epoch."""
        legal = self.subscribed and self.run is not None and epoch > self.run
        self._move(Position(epoch, 0))
        return legal

    def _move(self, position: Position | None) -> None:
        self.run, self.seq = (None, 0) if position is None else position
