"""What a checker says: rules and their violations.  Imports nothing of Tickwire's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from tests.cursors import Position


class Rule(StrEnum):
    """What was broken."""

    MALFORMED = "malformed"  # not JSON, or a field of the frame is missing or of a wrong type
    UNKNOWN_OP = "unknown_op"  # an op that the protocol does not list
    TOO_BIG = "too_big"  # a frame above 64 KiB
    WELCOME = "welcome"  # the first frame, and only the first, is welcome
    NOT_SUBSCRIBED = "not_subscribed"  # a frame of a symbol before subscribed or after unsubscribed
    CHANGED = "changed"  # subscribed again with another position than the cursor
    WRONG_POSITION = "wrong_position"  # subscribed at another position than the command leads to
    SNAPSHOT = "snapshot"  # a snapshot though the cursor is not null
    BACKWARDS = "backwards"  # a snapshot at or below what was accounted for
    NO_CURSOR = "no_cursor"  # ticks, gap or epoch while the cursor is null
    HOLE = "hole"  # a tick above what must come next
    DUPLICATE = "duplicate"  # a tick at or below the cursor
    SKIPPED = "skipped"  # skipped though this client does not conflate, or not by the cursor's arithmetic
    GAP = "gap"  # not the cursor's epoch, not from cursor.seq + 1, or ends before it begins
    EPOCH = "epoch"  # not later than the cursor's
    REASON = "reason"  # a gap's or a missing snapshot's reason is not in the closed list
    UNKNOWN_ID = "unknown_id"  # an answer to nothing that was asked, or by the wrong op
    ANSWERED_TWICE = "answered_twice"  # an id, or one of its names, answered again
    OUT_OF_ORDER = "out_of_order"  # commands on one symbol answered in another order than sent
    PENDING = "pending"  # pending does not count the names that are left
    CURSOR_LISTED = "cursor_listed"  # the answer to list names other subscriptions or cursors
    CANDLES = "candles"  # no reset first, a finished candle that changes, or numbers that no candle has
    FORMAT = "format"  # a tick's bytes: order of fields, spaces, decimals
    CONTENT = "content"  # a tick that no market makes, or not the tick that was expected
    UNANSWERED = "unanswered"  # at the end: an id without answer
    UNSETTLED = "unsettled"  # at the end: a cursor that is not the producer's last position
    LEFT_EARLY = "left_early"  # at the end: an epoch was left before its last position


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: where, and by which frame (its first 400 characters)."""

    rule: Rule
    symbol: str | None
    cursor: Position | None
    detail: str
    frame: str


class Broken(AssertionError):
    """What a checker found, if it is anything."""

    def __init__(self, name: str, violations: Collection[Violation]) -> None:
        super().__init__(f"{name}: {len(violations)} violations\n" + "\n".join(map(str, violations)))
        self.violations = violations
