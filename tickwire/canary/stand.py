"""Where the canary stands in one symbol, and what became of its ticks.  Pure.

The table of cursors of `docs/protocol.md`, written once more: a monitor that asked the client's own cursor would
overlook what the client overlooks.  An illegal frame moves the cursor too, but for a tick that is there already:
one fault is found once.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

from tickwire.canary.verdict import Breach, GapReason, Position, Rule

_REASONS: Final = frozenset(GapReason) - {GapReason.OTHER}


class Follow(StrEnum):
    """Whether the gateway follows a symbol for us."""

    PENDING = "pending"
    FOLLOWED = "followed"
    REJECTED = "rejected"


class Stand:
    """One symbol.

    Attributes:
        cursor: the last position accounted for; it outlives connections.
        delivered, conflated, missing: ticks that came, were skipped, are not coming.
        gaps: gaps said, by reason.
    """

    __slots__ = ("_before", "conflated", "cursor", "delivered", "gaps", "missing", "state")

    def __init__(self) -> None:
        self.state = Follow.PENDING
        self.cursor: Position | None = None
        self.delivered = self.conflated = self.missing = 0
        self.gaps = Counter(dict.fromkeys(GapReason, 0))
        self._before: tuple[str, Position] | None = None
        """Reason and last position before a gap to null."""

    # ------------------------------------------------------------------------------------------------- following

    def subscribed(self, position: Position | None, *, may_begin_anew: bool) -> list[Breach]:
        """`subscribed`; *may_begin_anew*: the gateway has said that it cannot use the position."""
        rule = Rule.CHANGED if self.state is Follow.FOLLOWED else Rule.WRONG_POSITION
        legal = position == self.cursor or (position is None and may_begin_anew and rule is Rule.WRONG_POSITION)
        breach = [] if legal else [Breach(rule, f"at {_shown(position)}, not {_shown(self.cursor)}", self.cursor)]
        if rule is Rule.WRONG_POSITION:
            self._before = None
        self.state, self.cursor = Follow.FOLLOWED, position
        return breach

    def left(self, state: Follow = Follow.PENDING) -> None:
        """Nothing follows, for now; the cursor is kept to resume from."""
        self.state, self._before = state, None

    # ----------------------------------------------------------------------------------------------------- frames

    def tick(self, seq: int, skipped: int) -> list[Breach]:
        """A tick of `ticks`."""
        cursor = self.cursor
        if self.state is not Follow.FOLLOWED or cursor is None:
            return [self._unexpected(f"tick {seq}")]
        if seq <= cursor.seq:
            return [Breach(Rule.REPEATED, f"tick {seq}", cursor)]
        self.cursor = Position(cursor.epoch, seq)
        self.delivered += 1
        if seq == cursor.seq + 1 + skipped:
            self.conflated += skipped
            return []
        self.missing += seq - cursor.seq - 1
        if skipped:
            return [Breach(Rule.SKIPPED, f"tick {seq} with {skipped} skipped", cursor)]
        return [Breach(Rule.HOLE, f"tick {seq}, not {cursor.seq + 1}", cursor)]

    def snapshot(self, position: Position) -> list[Breach]:
        """A tick of `snapshot`."""
        if self.state is not Follow.FOLLOWED:
            return [self._unexpected(f"snapshot {_shown(position)}")]
        breach = []
        if self.cursor is not None:
            breach.append(Breach(Rule.SNAPSHOT, f"snapshot {_shown(position)}", self.cursor))
        elif self._before is not None:
            breach += self._close(*self._before, position)
        self.cursor, self._before = position, None
        self.delivered += 1
        return breach

    def _close(self, reason: str, before: Position, position: Position) -> list[Breach]:
        if position.epoch == before.epoch:  # across epochs nobody can say how many there were
            self.missing += max(0, position.seq - before.seq - 1)
        if position > before or reason == GapReason.UNKNOWN_POSITION:
            return []
        return [Breach(Rule.BACKWARDS, f"snapshot {_shown(position)}, not above it", before)]

    def gap(self, epoch: int, first: int, last: int | None, reason: str) -> list[Breach]:
        """`gap`."""
        known = reason in _REASONS
        cursor = self.cursor
        breach = [] if known else [Breach(Rule.REASON, f"{reason[:40]!r}", cursor)]
        self.gaps[GapReason(reason) if known else GapReason.OTHER] += 1
        if self.state is not Follow.FOLLOWED or cursor is None:
            return [*breach, self._unexpected(f"gap from {first}")]
        if (epoch, first) != (cursor.epoch, cursor.seq + 1) or (last is not None and last < first):
            breach.append(Breach(Rule.GAP, f"gap of epoch {epoch} from {first} to {last}", cursor))
        elif last is not None:
            self.missing += last - first + 1
        self._before = (reason, cursor) if last is None else None
        self.cursor = None if last is None else Position(epoch, last)
        return breach

    def epoch(self, epoch: int) -> list[Breach]:
        """`epoch`."""
        cursor = self.cursor
        if self.state is not Follow.FOLLOWED or cursor is None:
            return [self._unexpected(f"epoch {epoch}")]
        self.cursor = Position(epoch, 0)
        return [] if epoch > cursor.epoch else [Breach(Rule.EPOCH, f"epoch {epoch}", cursor)]

    def _unexpected(self, what: str) -> Breach:
        rule = Rule.NO_CURSOR if self.state is Follow.FOLLOWED else Rule.NOT_SUBSCRIBED
        return Breach(rule, what, self.cursor)


def _shown(position: Position | None) -> str:
    return "null" if position is None else f"{position.epoch}:{position.seq}"
