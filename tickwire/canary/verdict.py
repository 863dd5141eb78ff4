"""The rules of the promise, and how one is broken.  Pure; imports nothing of the client's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Position(NamedTuple):
    """`(epoch, seq)`: ordered by epoch, then by seq."""

    epoch: int
    seq: int


class Rule(StrEnum):
    """What was broken; all but the first two are of the table of cursors in `docs/protocol.md`."""

    MALFORMED = "malformed"
    """A frame that is not JSON, or lacks a field, or has one of a wrong type."""
    WELCOME = "welcome"
    """The first frame of a connection, and only that, is `welcome`."""
    NOT_SUBSCRIBED = "not_subscribed"
    """A frame of a symbol before its `subscribed`, or after `unsubscribed`."""
    CHANGED = "changed"
    """`subscribed` again, at another position than the cursor."""
    WRONG_POSITION = "wrong_position"
    """`subscribed` at another position than that to resume from."""
    SNAPSHOT = "snapshot"
    """A snapshot though the cursor is not null."""
    BACKWARDS = "backwards"
    """A snapshot at or below what was accounted for before the gap."""
    NO_CURSOR = "no_cursor"
    """`ticks`, `gap` or `epoch` while the cursor is null."""
    HOLE = "hole"
    """A tick above the one that must come next."""
    REPEATED = "repeated"
    """A tick at or below the cursor."""
    SKIPPED = "skipped"
    """`skipped` that does not lead from the cursor to the tick."""
    GAP = "gap"
    """A gap of another epoch, that begins elsewhere than after the cursor, or ends before it begins."""
    EPOCH = "epoch"
    """An epoch that is not later than the cursor's."""
    REASON = "reason"
    """A gap for a reason that is not in the closed list."""


class GapReason(StrEnum):
    """Why ticks are not coming; the protocol's closed list, and what stands for any other."""

    LOST = "lost"
    FORGOTTEN = "forgotten"
    UNAVAILABLE = "unavailable"
    UNKNOWN_POSITION = "unknown_position"
    OTHER = "other"


class Breach(NamedTuple):
    """One broken rule, by what, and where the cursor of the symbol was then."""

    rule: Rule
    detail: str
    cursor: Position | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A breach and where: the *frame*-th frame, from 1, of the *connection*-th connection, from 1.

    *cursor*: of the symbol, before the frame.
    """

    rule: Rule
    symbol: str | None
    cursor: Position | None
    detail: str
    connection: int
    frame: int

    def fields(self) -> dict[str, object]:
        """Return it as fields of a log line."""
        return {
            "rule": self.rule.value,
            "symbol": self.symbol,
            "cursor": None if self.cursor is None else f"{self.cursor.epoch}:{self.cursor.seq}",
            "detail": self.detail,
            "connection": self.connection,
            "frame": self.frame,
        }
