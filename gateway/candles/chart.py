"""The candles of one symbol and step, as all clients of a gateway that follow them share them.  Pure.

A chart is a follower of the symbol like any client (`gateway.follower`): so its ticks come in order, holes are
repaired from history, and what is not coming is said.  It resumes from the position up to which history's candles
count: that is the whole join.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from gateway.candles.series import MOST, Doubt, Series
from gateway.candles.tally import Reset
from gateway.follower import Follower
from gateway.frames import Candles, Epoch, Frame, Gap, Snapshot
from gateway.outbox import Outbox
from gateway.tape import RING_BYTES
from services.broker.history import PAGE_BYTES, CandleQuestion
from services.market.position import Position
from services.market.symbol import Symbol

if TYPE_CHECKING:
    from gateway.candles.viewer import Viewer

AGAIN_S: Final = 0.05
"""Seconds before history is asked for the same candles again; doubles up to `AGAIN_CAP_S`."""
AGAIN_CAP_S: Final = 2.0
PATIENCE_S: Final = 5.0
"""Seconds without history's answer after which the candles go on without it."""

_Key = tuple[Symbol, int]


class State(Enum):
    """Where a chart's ticks come from, and what they are added to."""

    ASKING = auto()
    """History's answer is awaited; no tick is counted."""
    JOINED = auto()
    """History's candles, and every tick since."""
    ALONE = auto()
    """The ticks that came; what was before is not known."""
    SILENT = auto()
    """Nobody knows of any tick; the first one is a reason to ask again."""


class Tap(Outbox):
    """What a chart's follower fills: it takes everything, and is emptied at the end of each pass."""

    __slots__ = ()

    @property
    def free(self) -> int:
        """Room for whatever a ring or a page holds: it is emptied at the end of the pass."""
        return RING_BYTES + PAGE_BYTES


class Chart:
    """One symbol and step.  *tap*'s owner is the chart."""

    __slots__ = (
        "again_s",
        "asked_at",
        "follower",
        "key",
        "reason",
        "series",
        "since",
        "state",
        "tap",
        "turn_due",
        "turned",
        "viewers",
    )

    def __init__(self, symbol: Symbol, step: int, tap: Tap) -> None:
        self.key: _Key = (symbol, step)
        self.tap = tap
        tap.owner = self
        self.series = Series(step)
        self.viewers: dict[Viewer, None] = {}
        self.state = State.ASKING
        self.follower: Follower | None = None
        self.reason = Reset.SUBSCRIBED
        """Why the next reset is one."""
        self.since: float | None = None
        """Since when history owes an answer; None: it has not been asked."""
        self.asked_at: float | None = None
        """When the question under way was asked; None: none is."""
        self.again_s = AGAIN_S
        self.turn_due = False
        self.turned = -1.0

    @property
    def symbol(self) -> Symbol:
        """Whose candles they are."""
        return self.key[0]

    @property
    def question(self) -> CandleQuestion:
        """What history is asked."""
        return CandleQuestion(*self.key, 0, MOST)

    @property
    def ready(self) -> bool:
        """Whether there is something to say, if only that there is no candle."""
        return self.state is not State.ASKING

    def take(self, entries: Iterable[bytes | Frame], published: int) -> Doubt | None:
        """Count what came since the last pass; return why that is not possible, where it is not."""
        for entry in entries:
            doubt = (
                self.series.count(entry, published) if isinstance(entry, bytes) else self._hear(entry, published)
            )
            if doubt is not None:
                return doubt
        return None

    def _hear(self, frame: Frame, published: int) -> Doubt | None:
        """Take a frame that moves the follower's cursor; others are for people."""
        match frame:
            case Epoch(epoch=epoch):
                self.series.turn_epoch(epoch)
            case Snapshot() if self.state is State.SILENT:
                return Doubt.HOLE
            case Snapshot(epoch=epoch, tick=line) if self.state is State.ALONE:
                seq = int(line[7 : line.index(b",")])
                self.series.join(Position(epoch, seq), line, published)
            case Gap() if self.state is State.ALONE:
                self._pass(frame)
            case Gap() | Snapshot():
                return Doubt.HOLE
            case _:
                pass
        return None

    def _pass(self, gap: Gap) -> None:
        """Go on behind ticks that nobody has: the next one comes as a snapshot, or is the one after the gap."""
        self.series.tear()
        if gap.last is not None:
            self.series.skip(Position(gap.epoch, gap.last))

    def reset(self, history: int) -> Candles:
        """All that a client which began with *history* candles needs."""
        return Candles(*self.key, True, self.series.newest(history))

    def update(self, told: int) -> Candles | None:
        """What changed after turn *told*; None: nothing."""
        rows = self.series.changes(told)
        return Candles(*self.key, False, rows) if rows else None
