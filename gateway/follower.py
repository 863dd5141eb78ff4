"""A follower: one client's subscription to one symbol, with the cursor that the promise is about.  Pure."""

from __future__ import annotations

from enum import Enum, auto

from gateway.frames import Epoch, Following, Gap, GapReason, Missing, NoSnapshot, Snapshot
from gateway.outbox import Outbox
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import splice_skipped


class Mode(Enum):
    """What a follower waits for."""

    LIVE = auto()
    """Nothing that is known of is missing."""
    BEHIND = auto()
    """The ticks after its cursor, from history or once its outbox has room."""
    AWAITING = auto()
    """The first tick above its floor, which comes as a snapshot."""


class Follower:
    """The cursor of one client in one symbol, and every frame that may move it.

    Each method says one frame and moves the cursor as the table of `docs/protocol.md` has it; which frame comes
    next is decided in `gateway.recovery`.
    """

    __slots__ = (
        "_interval",
        "_mode",
        "_slow",
        "asked",
        "conflates",
        "cursor",
        "doubt_since",
        "floor",
        "outbox",
        "replay_since",
        "reprieved",
        "serial",
        "symbol",
        "told",
        "turn_at",
        "turn_due",
        "vouched",
        "waiting_since",
    )

    def __init__(self, symbol: Symbol, outbox: Outbox, serial: int, *, max_rate: float | None = None) -> None:
        self.symbol = symbol
        self.outbox = outbox
        self.serial = serial
        """Orders followers that have the same turn."""
        self.cursor: Position | None = None
        """The last position accounted for; None: the next tick comes as a snapshot."""
        self.floor: Position | None = None
        """With a null cursor: only a tick above this may be the snapshot."""
        self._mode = Mode.AWAITING
        self._interval = None if max_rate is None else 1.0 / max_rate
        self._slow = False
        self.conflates = False
        """Whether it gets the newest tick at its turns rather than every tick.  Kept, not computed: it is asked
        for with every tick, and set when a client subscribes or falls behind."""
        self._judge()
        self.turn_at = 0.0
        """When the next tick may be sent, in seconds of the monotonic clock."""
        self.turn_due = False
        """Whether a turn is scheduled."""
        self.waiting_since: float | None = None
        """Since when history owes an answer, for the deadline of rule 4."""
        self.replay_since: float | None = None
        """Since when it is behind, for the deadline of rule 9."""
        self.doubt_since: float | None = None
        """Since when its position is above everything known, for the deadline of rule 7."""
        self.reprieved = False
        """Whether the client became slow during a replay, which goes on at the socket's pace all the same."""
        self.asked = False
        """Whether its client asked for the past: it resumed, and has not caught up since."""
        self.vouched = False
        """Whether a heartbeat has named the symbol's mark since *doubt_since*."""
        self.told = False
        """Whether it was told that there is no snapshot."""

    @property
    def mode(self) -> Mode:
        """What it waits for."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self.outbox.behind += (mode is Mode.BEHIND) - (self._mode is Mode.BEHIND)
        self._mode = mode

    @property
    def interval(self) -> float | None:
        """Least seconds between two ticks; None: every tick."""
        return self._interval

    @interval.setter
    def interval(self, seconds: float | None) -> None:
        self._interval = seconds
        self._judge()

    @property
    def slow(self) -> bool:
        """Whether the client does not keep up: it conflates until its outbox has drained."""
        return self._slow

    @slow.setter
    def slow(self, slow: bool) -> None:
        if slow is not self._slow:
            self._slow = slow
            self.outbox.slowed += 1 if slow else -1
            self._judge()

    def _judge(self) -> None:
        conflates = self._slow or self._interval is not None
        if conflates is not self.conflates:
            self.conflates = conflates
            self.outbox.conflating += 1 if conflates else -1

    def leave(self) -> None:
        """Count no more among those that conflate or are behind: its client follows the symbol no longer."""
        self.slow, self.interval, self.mode = False, None, Mode.AWAITING

    @property
    def settled(self) -> bool:
        """Whether nothing that is known of is missing, and its position is no unknown one (rule 7)."""
        return self._mode is Mode.LIVE and self.doubt_since is None

    @property
    def max_rate(self) -> float | None:
        """Ticks per second that it asked for."""
        return None if self.interval is None else 1.0 / self.interval

    @property
    def state(self) -> Following:
        """How it stands, as `list` says it."""
        if self.conflates:
            return Following.CONFLATING
        return Following.LIVE if self.mode is Mode.LIVE else Following.BEHIND

    def allowed(self, now: float) -> int | None:
        """How many ticks of the past it may still be sent; None: any number.

        What it lacks without having asked (a hole that the broker made) does not count.
        """
        allowance = self.outbox.allowance
        return allowance.left(now) if self.asked and allowance is not None else None

    def spend(self, count: int, now: float) -> None:
        """Count *count* ticks of the past against the allowance, where that is what they are."""
        allowance = self.outbox.allowance
        if self.asked and allowance is not None:
            allowance.spend(now, count)

    def catch_up(self) -> None:
        """Nothing is missing any more.  Live ticks would pile up before a socket that is still full: conflate."""
        self.mode = Mode.LIVE
        self.asked = False
        self.waiting_since = self.replay_since = None
        if self.reprieved:
            self.reprieved, self.slow = False, self.outbox.blocked

    def snapshot(self, position: Position, line: bytes) -> None:
        """Say the tick at *position* as a snapshot."""
        self.outbox.say(Snapshot(self.symbol, position.epoch, line))
        self.cursor, self.floor = position, None
        self.doubt_since = None
        self.catch_up()

    def tick(self, position: Position, line: bytes, skipped: int = 0) -> None:
        """Say the tick at *position*, after *skipped* ticks that this client conflates."""
        self.outbox.tick(splice_skipped(line, skipped) if skipped else line)
        self.cursor = position

    def run(self, last: Position, lines: list[bytes]) -> None:
        """Say consecutive ticks, the last one at *last*, and empty *lines*; none: no effect."""
        if lines:
            self.outbox.tick(b"\n".join(lines))
            self.cursor = last
            lines.clear()

    def gap(self, cursor: Position, last: int, reason: GapReason) -> Position:
        """Say that the ticks from after *cursor* to *last* are not coming; return the new cursor."""
        self.outbox.say(Gap(self.symbol, cursor.epoch, cursor.seq + 1, last, reason))
        self.cursor = Position(cursor.epoch, last)
        return self.cursor

    def gap_to_null(self, cursor: Position, reason: GapReason) -> None:
        """Say that whatever follows *cursor* is not coming; the next tick comes as a snapshot."""
        self.outbox.say(Gap(self.symbol, cursor.epoch, cursor.seq + 1, None, reason))
        self.cursor = None
        self.floor = None if reason is GapReason.UNKNOWN_POSITION else cursor
        self.mode, self.told, self.asked = Mode.AWAITING, True, False
        self.waiting_since = self.replay_since = self.doubt_since = None

    def epoch(self, epoch: int) -> Position:
        """Say that a later epoch begins; return the new cursor."""
        self.outbox.say(Epoch(self.symbol, epoch))
        self.cursor = Position(epoch, 0)
        return self.cursor

    def missing(self, reason: NoSnapshot) -> None:
        """Say, once, that there is no snapshot."""
        if not self.told:
            self.told = True
            self.outbox.say(Missing(self.symbol, reason))
