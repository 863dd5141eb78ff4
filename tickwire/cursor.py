"""A client's side of the promise: the last position of a symbol that is accounted for.  Pure.

Only the five frames of the protocol's cursor table move it; each method applies one of them and returns whether
that was legal.  An illegal frame still moves the cursor, so that one fault is counted once.
"""

from __future__ import annotations

from services.market.position import Position


class Cursor:
    """The cursor of one symbol on one connection; *position* None: nothing is accounted for yet."""

    __slots__ = ("position", "subscribed")

    def __init__(self) -> None:
        self.position: Position | None = None
        self.subscribed = False

    def disconnect(self) -> None:
        """The connection is gone: the position stays, to resume from."""
        self.subscribed = False

    def subscribe(self, position: Position | None) -> bool:
        """`subscribed`: the position given, or null."""
        legal = not self.subscribed or position == self.position
        self.subscribed, self.position = True, position
        return legal

    def unsubscribe(self) -> None:
        """`unsubscribed`: nothing follows."""
        self.subscribed, self.position = False, None

    def snapshot(self, position: Position) -> bool:
        """`snapshot`: legal where nothing is accounted for yet."""
        legal = self.subscribed and self.position is None
        self.position = position
        return legal

    def tick(self, seq: int, skipped: int) -> bool:
        """`ticks`: the next one, after *skipped* that conflation left out."""
        if self.position is None:  # its epoch is unknown: only a snapshot or a resume can give a position
            return False
        legal = self.subscribed and seq == self.position.seq + 1 + skipped
        self.position = Position(self.position.epoch, seq)
        return legal

    def gap(self, epoch: int, first: int, last: int | None) -> bool:
        """`gap`: *first* to *last* are not coming; *last* None: the next tick comes as a snapshot."""
        legal = (
            self.subscribed
            and self.position is not None
            and (epoch, first) == (self.position.epoch, self.position.seq + 1)
            and (last is None or last >= first)
        )
        self.position = None if last is None else Position(epoch, last)
        return legal

    def epoch(self, epoch: int) -> bool:
        """`epoch`: the ticks go on from seq 1 of a later epoch."""
        legal = self.subscribed and self.position is not None and epoch > self.position.epoch
        self.position = Position(epoch, 0)
        return legal
