"""A sheet of ticks: one answer's, collected from tape and history so that no hole in it is unexplained.  Pure.

A sheet has a cursor like any client (`docs/architecture.md`).  Each tick on it either follows the cursor, or the
hole before it is named as `lost` or `forgotten`, or it begins a later epoch.  What `next` states is the cursor at
the end, so sheets laid one after another are as complete as a connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from gateway.frames import GapReason
from gateway.glance import Glance
from services.broker.history import PAGE_BYTES, Answer, Question
from services.market.position import Position
from services.market.symbol import Symbol

SLICE: Final = 125
"""Most ticks of a stretch, which is written in one turn of the loop: 0.03 ms, or 0.4 ms as CSV."""
LONGEST_TICK: Final = 320
"""Bytes that no tick exceeds: a page of history with less room left may have been cut."""

Ticks = Sequence[tuple[Position, bytes]]


class Hole(NamedTuple):
    """Ticks *first* to *last* of *epoch* are not there; *last* None: and nothing more of that epoch, or others."""

    epoch: int
    first: int
    last: int | None
    reason: GapReason


class Stretch(NamedTuple):
    """Ticks that came together, with what is missing before each."""

    ticks: Ticks
    holes: tuple[tuple[int, Hole], ...]
    """Each with the index of the tick that it stands before."""


class Sheet:
    """Asks what is needed, one `Question` after the other, until there are *limit* ticks, or no more.

    *after* None: the newest ticks of the newest epoch; what came before the first of them is nobody's hole.
    """

    def __init__(self, symbol: Symbol, after: Position | None, limit: int) -> None:
        self._symbol, self._limit = symbol, limit
        self.cursor = after
        self.left = limit
        self.ahead = False
        """Whether the position asked from is above everything that is known."""
        self.more = False
        """Whether the next page is there already."""
        self.asked = self.remembered = 0
        """Questions to history so far, and the ticks that its answers brought."""
        self._owed = after is not None
        self._whole = False
        self._top: Position | None = None
        self._unread: list[Stretch] = []

    def written(self) -> list[Stretch]:
        """Take what has come since the last call."""
        unread, self._unread = self._unread, []
        return unread

    def next(self, glance: Glance) -> Question | None:
        """Return what history must be asked now; None: nothing, this was all.

        Takes what the tape has; *glance* must be of this moment.
        """
        if self.cursor is None and not self._begin(glance):
            return None if self._whole else self._question(None)
        self._take_tape(glance)
        if self.left == 0:
            self.more = self._has_more(glance)
            return None
        if self._whole or self._is_newest(glance):
            self.ahead = self._is_ahead(glance)
            return None
        return self._question(self.cursor)

    def answer(self, answer: Answer) -> None:
        """Take what history said to the last question."""
        self._top = answer.top
        if answer.question.after is None:
            self._begin_at(answer.ticks[-1][0] if answer.ticks else None)
            return
        if answer.forgot is not None and self.cursor is not None and self.cursor < answer.forgot:
            self._forget(self.cursor, answer.forgot)
        cursor = self.cursor
        due = tuple(tick for tick in answer.ticks if cursor is None or tick[0] > cursor)
        self._take(due[: self.left])
        self.remembered += len(due)
        self._whole = not is_cut(answer)

    def unanswered(self, glance: Glance) -> bool:
        """Nobody answers; return whether there is something to show nevertheless: then the page ends here.

        Who asked for the newest ticks gets those of the tape, however few they are.
        """
        newest = glance.newest
        if not self._owed and newest is not None and glance.tape is not None:
            held = min(self._limit, len(glance.tape.ring))
            self.cursor = Position(newest[0].epoch, newest[0].seq - held)
            self._take_tape(glance)
        self.more = self._has_more(glance)
        return self.left < self._limit or bool(self._unread)

    def give_up(self) -> None:
        """The position asked from is unknown: say so, and begin anew with the newest ticks."""
        if self.cursor is not None:
            hole = Hole(self.cursor.epoch, self.cursor.seq + 1, None, GapReason.UNKNOWN_POSITION)
            self._unread.append(Stretch((), ((0, hole),)))
        self.cursor, self._owed, self._whole, self.ahead = None, False, False, False

    # ------------------------------------------------------------------------------------------------ the newest

    def _begin(self, glance: Glance) -> bool:
        """Find where the newest ticks begin, where the tape tells it."""
        newest = glance.newest
        if newest is None or not glance.current:
            return False
        self._begin_at(newest[0])
        return True

    def _begin_at(self, newest: Position | None) -> None:
        """Begin so that the last tick is *newest*; None: there is no tick at all."""
        self._whole = newest is None
        if newest is not None:
            self.cursor = Position(newest.epoch, max(0, newest.seq - self._limit))

    # --------------------------------------------------------------------------------------------------- taking

    def _take_tape(self, glance: Glance) -> None:
        tape, cursor = glance.tape, self.cursor
        if tape is None or cursor is None or not tape.reaches(cursor):
            return
        lines = islice(tape.after(cursor), self.left)
        self._take([(Position(cursor.epoch, seq), line) for seq, line in enumerate(lines, cursor.seq + 1)])

    def _take(self, ticks: Ticks) -> None:
        """Add *ticks*, which rise from the cursor."""
        self.left -= len(ticks)
        for start in range(0, len(ticks), SLICE):
            part = ticks[start : start + SLICE]
            self._unread.append(Stretch(part, tuple(self._holes(part))))
            self.cursor, self._owed = part[-1][0], True

    def _holes(self, ticks: Ticks) -> Iterator[tuple[int, Hole]]:
        """Yield what is missing before each of *ticks*; before the first of the newest ones nothing is."""
        cursor = self.cursor if self._owed else None
        for index, (position, _) in enumerate(ticks):
            if cursor is not None:
                due = cursor.seq + 1 if position.epoch == cursor.epoch else 1
                if position.seq > due:
                    yield index, Hole(position.epoch, due, position.seq - 1, GapReason.LOST)
            cursor = position

    def _forget(self, cursor: Position, forgot: Position) -> None:
        """Name what history had, or may have had, and has no more; go on behind it."""
        holes: list[Hole] = []
        if forgot.epoch == cursor.epoch:
            holes.append(Hole(cursor.epoch, cursor.seq + 1, forgot.seq, GapReason.FORGOTTEN))
        else:
            if cursor.epoch:  # 0 is no epoch: who asks from there wants all that there is
                holes.append(Hole(cursor.epoch, cursor.seq + 1, None, GapReason.FORGOTTEN))
            if forgot.seq:
                holes.append(Hole(forgot.epoch, 1, forgot.seq, GapReason.FORGOTTEN))
        if self._owed and holes:
            self._unread.append(Stretch((), tuple((0, hole) for hole in holes)))
        self.cursor = forgot

    # --------------------------------------------------------------------------------------------------- asking

    def _question(self, after: Position | None) -> Question:
        self.asked += 1
        return Question(self._symbol, after)

    def _is_newest(self, glance: Glance) -> bool:
        newest = glance.newest
        return glance.current and newest is not None and self.cursor == newest[0]

    def _has_more(self, glance: Glance) -> bool:
        """Whether what follows the cursor is known to be there."""
        tape = None if glance.tape is None else glance.tape.newest
        cut = self.asked > 0 and not self._whole
        return cut or any(known is not None and self._is_before(known) for known in (tape, self._top))

    def _is_before(self, position: Position) -> bool:
        return self.cursor is not None and self.cursor < position

    def _is_ahead(self, glance: Glance) -> bool:
        tape = None if glance.tape is None else glance.tape.newest
        known = [position for position in (tape, glance.mark, self._top) if position is not None]
        cursor = self.cursor
        return cursor is not None and bool(known) and cursor > max(known)


def is_cut(answer: Answer) -> bool:
    """Whether history may have more up to its *top* than this page: it ends where another tick had no room."""
    return sum(len(line) for _, line in answer.ticks) > PAGE_BYTES - LONGEST_TICK
