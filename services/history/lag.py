"""How far reading is behind what producers have published, and whether to answer.  Pure.

A heartbeat's mark names a tick that was handed to the broker before the heartbeat.  A mark that is not read yet is
*pending*; how long the oldest one has been is how far we are behind.

Some marks can never be read: the broker refused the tick, or the log was lost.  Such a mark is waived
  * when something is read of the same shard that was published after the heartbeat: the log keeps the order in
    which a producer hands over, also when it repeats after a lost connection, so reading has passed the mark;
  * when nothing at all is read for `STALL_S`, although connected, not even after reading was begun again once.
    Then no mark counts until something is read: the log has nothing for us, and waiting would not change that.
Answering in spite of a waived mark is safe: an answer says in `top` what was read, and beyond it nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

from services.market.control import Heartbeat
from services.market.position import Position
from services.market.symbol import Symbol

BEHIND_S: Final = 3.0
"""How long a mark may be pending, or the connection be gone, until we stop answering."""
STALL_S: Final = 5.0
"""Nothing read for so long, connected and with a mark pending: reading begins again, then the mark is waived."""
UNHEARD_S: Final = 2.0
"""Connected for so long without a heartbeat, which come once a second: no producer lives (yet), the log's end is
all there is.  A new one waits 2 s for what we know of the last."""
QUIET_S: Final = 1.0
"""Nothing read for so long, in such a case: the log's end is reached."""
PASSED_S: Final = 0.5
"""A mark that is pending for so long is looked at more closely; most are read within milliseconds."""


class Reason(StrEnum):
    """Why we answer, or not."""

    READY = "ready"
    NOT_CONNECTED = "not connected to the log"
    UNHEARD = "waiting for a heartbeat"
    CATCHING_UP = "reading up to the marks of a heartbeat"
    BEHIND = "more than 3 s behind the marks"


class Verdict(NamedTuple):
    """What to do now."""

    open: bool
    """Whether to answer."""
    behind_s: float
    """For how long the oldest pending mark has been pending, or the connection been gone."""
    reread: bool
    """Whether to read from the past again."""
    reason: Reason


class _Pending(NamedTuple):
    position: Position
    since: float
    time: int  # the heartbeat's, µs
    shard: str


class Lag:
    """Compares marks with what was read.  Times are seconds on the clock that never goes back.

    *newest* and *published* tell the largest position that was read of a symbol, and when (µs) the newest message
    of it was published; None and 0 where there is none.
    """

    def __init__(
        self, newest: Callable[[Symbol], Position | None], published: Callable[[Symbol], int], now: float
    ) -> None:
        self._newest, self._published = newest, published
        self._pending: dict[Symbol, _Pending] = {}
        self._waived: dict[Symbol, Position] = {}
        self._shards: dict[str, tuple[int, set[Symbol]]] = {}
        self._connected: float | None = None
        self._lost = now
        self._read = now
        self._beat: float | None = None
        self._heard: float | None = None
        """When the first heartbeat came since we were last in doubt."""
        self._resigned = False
        self._rereading: float | None = None
        self._open = False
        self._reason = Reason.NOT_CONNECTED
        self.waived = 0
        """Marks given up."""

    def on_connected(self, now: float) -> None:
        """A connection to the log stands."""
        if now - self._lost > BEHIND_S:
            self._doubt()
        self._connected = self._read = now

    def on_lost(self, now: float) -> None:
        """The connection, or an attempt, is gone."""
        if self._connected is not None:
            self._connected, self._lost = None, now

    def on_read(self, now: float) -> None:
        """Entries of the log were read, known ones or new ones."""
        self._read = now
        self._resigned = False

    def on_heartbeat(self, beat: Heartbeat, now: float) -> None:
        """Note the marks of *beat*.  One of a run that is over is ignored."""
        epoch, symbols = self._shards.get(beat.shard, (0, set[Symbol]()))
        if beat.epoch < epoch:
            return
        if beat.epoch > epoch:
            # A run's marks mean nothing once another has begun; its first ticks are those of every symbol.
            self._pending = {symbol: p for symbol, p in self._pending.items() if p.shard != beat.shard}
        self._shards[beat.shard] = beat.epoch, symbols
        self._beat = now
        if self._heard is None:
            self._heard = now
        symbols.update(beat.marks)
        for symbol, seq in beat.marks.items():
            if seq:
                self._note(symbol, _Pending(Position(beat.epoch, seq), now, beat.time, beat.shard))

    def judge(self, now: float) -> Verdict:
        """Say what to do at *now*."""
        self._look(now)
        reread = self._stalled(now)
        behind = self._behind(now)
        self._open, self._reason = self._decide(now, behind)
        return Verdict(self._open, behind, reread, self._reason)

    # ------------------------------------------------------------------------------------------------------ inside

    def _note(self, symbol: Symbol, mark: _Pending) -> None:
        known = self._pending.get(symbol)
        if known is not None and not self._reached(symbol, known.position):
            return
        if self._reached(symbol, mark.position) or self._resigned:
            self._pending.pop(symbol, None)
        else:
            self._pending[symbol] = mark

    def _reached(self, symbol: Symbol, position: Position) -> bool:
        newest, waived = self._newest(symbol), self._waived.get(symbol)
        return (newest is not None and newest >= position) or (waived is not None and waived >= position)

    def _look(self, now: float) -> None:
        """Drop the marks that were read, or passed."""
        passed: dict[str, int] = {}
        for symbol, pending in list(self._pending.items()):
            if self._reached(symbol, pending.position):
                del self._pending[symbol]
            elif now - pending.since > PASSED_S:
                if pending.shard not in passed:
                    passed[pending.shard] = self._passed(pending.shard)
                if passed[pending.shard] > pending.time:
                    self._waive(symbol)

    def _passed(self, shard: str) -> int:
        """When the newest message of *shard*'s run that was read was published."""
        epoch, symbols = self._shards[shard]
        read = (self._published(s) for s in symbols if (self._newest(s) or Position(0, 0)).epoch >= epoch)
        return max(read, default=0)

    def _waive(self, symbol: Symbol) -> None:
        self._waived[symbol] = self._pending.pop(symbol).position
        self.waived += 1

    def _stalled(self, now: float) -> bool:
        """Return whether reading should begin again; resign where it has already."""
        if not self._pending:
            self._rereading = None
            return False
        if self._connected is None or now - max(self._read, self._rereading or 0.0) < STALL_S:
            return False
        if self._rereading is None:
            self._rereading = now
            return True
        self._resign()
        return False

    def _resign(self) -> None:
        self._resigned, self._rereading = True, None
        for symbol in list(self._pending):
            self._waive(symbol)

    def _behind(self, now: float) -> float:
        if self._connected is None:
            return now - self._lost
        return max((now - pending.since for pending in self._pending.values()), default=0.0)

    def _decide(self, now: float, behind: float) -> tuple[bool, Reason]:
        if self._open and behind <= BEHIND_S:
            return True, Reason.READY
        if self._connected is None:
            self._doubt()
            return False, Reason.NOT_CONNECTED
        if self._open:
            self._doubt()
            return False, Reason.BEHIND
        if self._heard is not None and all(p.since > self._heard for p in self._pending.values()):
            return True, Reason.READY
        if self._unheard(now):
            self._resign()
            return True, Reason.READY
        return False, Reason.UNHEARD if self._heard is None else Reason.CATCHING_UP

    def _unheard(self, now: float) -> bool:
        """Whether no producer lives and the log's end is reached."""
        connected = now if self._connected is None else self._connected
        silent = now - max(connected, self._beat or connected)
        # A mark that is still unread says that there should be more.
        unheard, quiet = (STALL_S, BEHIND_S) if self._pending else (UNHEARD_S, QUIET_S)
        return silent >= unheard and now - self._read >= quiet

    def _doubt(self) -> None:
        """Wait for the marks of a heartbeat that is still to come."""
        self._open, self._heard = False, None
