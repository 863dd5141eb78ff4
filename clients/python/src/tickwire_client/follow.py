"""One symbol of a feed: its cursor, what was delivered, and the account of the rest.  Pure.

A follow outlives connections: what it knows decides where the next connection resumes, and no tick is handed out
twice even where the gateway must begin anew with a snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tickwire_client.account import Account
from tickwire_client.cursor import Cursor, Position
from tickwire_client.day import Diary
from tickwire_client.events import Gap
from tickwire_client.tick import Arrival, Tick

NOW: Final = float("-inf")
"""Due at any time."""
NOT_RESUMED: Final = "not_resumed"
VIOLATION: Final = "violation"
UNKNOWN_POSITION: Final = "unknown_position"


class Hole(NamedTuple):
    """What is missing from *first* of *epoch* on, until the next snapshot says where it ends."""

    epoch: int
    first: int
    reason: str


class Follow:
    """One symbol as it is wanted here and as it stands on the wire.

    Attributes:
        wanted: somebody here follows it; *named*: by its name, not only as part of `*`.
        rate: the fastest rate that is wanted under its name; None: every tick.
        asked: the id of the subscribe command that is in force; None: not asked on this connection.
        leaving: an unsubscribe command is not answered yet.
        next: who follows the symbol once this one has left.
        state: for people: what this symbol waits for, or `live`.
    """

    __slots__ = (
        "_high",
        "_hole",
        "_start",
        "account",
        "asked",
        "asked_rate",
        "cursor",
        "diary",
        "last",
        "leaving",
        "named",
        "next",
        "rate",
        "retry_at",
        "snapshot",
        "state",
        "symbol",
        "wanted",
    )

    def __init__(self, symbol: str, *, snapshot: bool = True, start: Position | None = None) -> None:
        self.symbol, self.snapshot = symbol, snapshot
        self.wanted, self.named = True, True
        self.rate: float | None = None
        self.asked: int | None = None
        self.asked_rate: float | None = None
        self.leaving = False
        self.next: Follow | None = None
        self.retry_at = NOW
        self.state = "waiting"
        self.cursor, self.account = Cursor(), Account()
        self.last: Tick | None = None
        self.diary: Diary | None = None
        self._start = start
        self._hole: Hole | None = None
        self._high: Position | None = None
        """Nothing at or below it is handed out; None: the cursor alone sees to that.

        Positions never go back, so a gateway that shows earlier ones lags behind what was delivered here.
        """

    @property
    def resume(self) -> Position | None:
        """The position to ask the gateway to go on after."""
        return self.cursor.position or self._start

    # ----------------------------------------------------------------------------------------- the wire's answers

    def subscribed(self, position: Position | None) -> tuple[bool, Gap | None]:
        """`subscribed`: return whether that was legal, and the gap where it is not what was asked for."""
        before, again = self.resume, self.cursor.subscribed
        legal = self.cursor.subscribe(position)
        self._start, self.state = None, "subscribed"
        if before is None or before == position:
            return legal, None
        reason = VIOLATION if again else NOT_RESUMED
        known = self._mark(before)
        self._hole = Hole(known.epoch, known.seq + 1, reason)
        if position is not None:
            self._close_hole(position, shown=0)
        return legal, Gap(self.symbol, before.epoch, before.seq + 1, None, reason)

    def disconnected(self) -> None:
        """The connection is gone; the position stays."""
        self.cursor.disconnect()
        self.asked, self.leaving, self.retry_at, self.state = None, False, NOW, "waiting"

    def put_off(self, state: str, until: float) -> None:
        """Not followed for now; ask again at *until*, from where it was."""
        if self.cursor.subscribed:
            self._start = self.cursor.position
            self.cursor.unsubscribe()
        self.asked, self.retry_at, self.state = None, until, state

    def left(self) -> None:
        """`unsubscribed`, as asked for; the position is kept for whom that was not meant for."""
        self.put_off("waiting", NOW)
        self.leaving = False

    # --------------------------------------------------------------------------------------------------- its ticks

    def tick(self, fields: Mapping[str, Any], arrival: Arrival) -> tuple[Tick | None, bool]:
        """A tick of `ticks`: return what to hand out, and whether it was legal."""
        seq, skipped = fields["seq"], fields.get("skipped", 0)
        cursor = self.cursor
        before = cursor.seq
        legal = cursor.tick(seq, skipped)
        epoch = cursor.run
        if not legal:
            if epoch is None or not cursor.subscribed:
                return None, False
            skipped = self._amend(Position(epoch, before), seq, skipped)
        if self._high is not None:
            skipped = self._passes(Position(epoch, seq), skipped)  # type: ignore[arg-type] # a legal tick has one
            if skipped is None:
                return None, legal
        return self._hand_out(Tick(fields, arrival, epoch, skipped)), legal  # type: ignore[arg-type]

    def shown(self, fields: Mapping[str, Any], epoch: int, arrival: Arrival) -> tuple[Tick | None, bool]:
        """A tick of `snapshot`: return what to hand out, and whether it was legal."""
        position, before = Position(epoch, fields["seq"]), self.cursor.position
        legal = self.cursor.snapshot(position)
        if not self.cursor.subscribed:
            return None, legal
        if before is not None:
            known = self._mark(before)
            self._hole = Hole(known.epoch, known.seq + 1, VIOLATION)
        self._close_hole(position, shown=1)
        if self._high is not None and self._passes(position, 0) is None:
            return None, legal
        return self._hand_out(Tick(fields, arrival, epoch, 0, True)), legal

    def gap(self, gap: Gap) -> bool:
        """`gap`: count what is missing; return whether it was legal."""
        before = self.cursor.position
        legal = self.cursor.gap(gap.epoch, gap.first, gap.last)
        if before is None or not self.cursor.subscribed:
            return legal
        reason = gap.reason if legal else VIOLATION
        known = before if self._high is None else max(before, self._high)
        if gap.last is None:
            if gap.reason != UNKNOWN_POSITION:
                self._mark(before)
            elif self.last is not None:  # the position was never heard of: only what was delivered counts
                known = self._high = self.last.position
            self._hole = Hole(known.epoch, known.seq + 1, reason)
        elif known.epoch == gap.epoch:
            self.account.miss(reason, gap.last - known.seq)
        if not legal:
            self._mark(before)
        return legal

    def epoch(self, epoch: int) -> bool:
        """`epoch`: return whether it was legal."""
        before = self.cursor.position
        legal = self.cursor.epoch(epoch)
        if not legal and before is not None:
            self._mark(before)
        return legal

    # ---------------------------------------------------------------------------------------------------- within

    def _hand_out(self, tick: Tick) -> Tick:
        account = self.account
        account.delivered += 1
        if tick.skipped:
            account.skipped += tick.skipped
            self.state = "conflating"
        else:
            self.state = "live"
        self.last = tick
        if self.diary is not None:
            self.diary.take(tick.fields, tick.epoch)
        return tick

    def _amend(self, before: Position, seq: int, skipped: int) -> int:
        """An illegal tick: account for what it does not; return what it really skips."""
        if seq <= before.seq:
            self._mark(before)  # which keeps it back
            return 0
        self.account.miss(VIOLATION, seq - before.seq - 1 - skipped)
        return min(max(0, skipped), seq - before.seq - 1)

    def _close_hole(self, position: Position, *, shown: int) -> None:
        """The next thing known is *position*, itself handed out if *shown* is 1: so the hole ends before it."""
        hole, self._hole = self._hole, None
        if hole is None:
            return
        if hole.epoch == position.epoch:
            self.account.miss(hole.reason, position.seq - hole.first + 1 - shown)
        elif hole.epoch < position.epoch:
            self.account.unknown[hole.reason] += 1

    def _passes(self, position: Position, skipped: int) -> int | None:
        """Whether *position* is above all that was handed out: return what it skips of the rest, else None."""
        high = self._high
        if high is None:
            return skipped
        if position <= high:
            self.account.repeated += 1
            return None
        self._high = None
        return min(skipped, position.seq - high.seq - 1) if position.epoch == high.epoch else skipped

    def _mark(self, before: Position) -> Position:
        """Hand out nothing at or below *before* again, nor what was delivered already; return that position."""
        known = before if self.last is None else max(before, self.last.position)
        self._high = known if self._high is None else max(known, self._high)
        return self._high
