"""The line of one symbol: whether the broker keeps its ticks coming to this gateway.  Pure.

Rule 1: transitions of one symbol never overlap: in `OPENING` and `CLOSING` nothing is asked of the broker.
Rule 2: a line is wanted while anybody follows the symbol or waits to; a line that nobody wants idles first.
Rule 3: an answer that belongs to an earlier attempt, or to a connection that has ended, is ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gateway.figures import Figures
from gateway.recovery import Recovery
from services.market.symbol import Symbol

if TYPE_CHECKING:
    from gateway.request import Request

IDLE_GRACE: Final = 30.0
"""Seconds that a symbol without followers stays bound: page reloads and changed minds cost the broker nothing."""
RETAIN: Final = 60.0
"""Seconds that the tape outlives its queue (`docs/architecture.md`)."""
RETRY: Final = 0.5
"""Seconds until an opening that the broker refused is tried again."""


class Stage(StrEnum):
    """Where a line stands."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    IDLE = "idle"
    CLOSING = "closing"


class Line:
    """One symbol's line, its recovery, and the requests that wait for it to open."""

    __slots__ = (
        "asked",
        "attempt",
        "charts",
        "due_at",
        "figures",
        "look_at",
        "recovery",
        "since",
        "stage",
        "waiting",
    )

    def __init__(self, recovery: Recovery, now: float) -> None:
        self.recovery = recovery
        self.figures = Figures(recovery.symbol)
        self.stage = Stage.CLOSED
        self.since = now
        """When the stage began."""
        self.attempt = 0
        """Counts openings and closings; the broker's answers carry it."""
        self.asked = False
        """Whether the broker was asked for this attempt: until then it can be called off."""
        self.waiting: dict[Request, None] = {}
        self.charts = 0
        """How many charts (`gateway.candles`) need its ticks."""
        self.look_at: float | None = None
        """When an idle or closed line is looked at again: one entry on the agenda, however often it is left."""
        self.due_at: float | None = None
        """When the recovery's next deadline is scheduled."""

    @property
    def symbol(self) -> Symbol:
        """Whose line it is."""
        return self.recovery.symbol

    @property
    def wanted(self) -> bool:
        """Whether anybody follows, or waits to."""
        return bool(self.recovery.followers or self.waiting or self.charts)

    @property
    def newest_waiting(self) -> object:
        """The client that came last to wait for it; None: somebody follows it already."""
        return None if self.recovery.followers or not self.waiting else next(reversed(self.waiting)).client

    @property
    def bound(self) -> bool:
        """Whether ticks come."""
        return self.stage in (Stage.OPEN, Stage.IDLE)

    def enter(self, stage: Stage, now: float) -> None:
        """Change the stage, and tell the recovery where ticks begin or cease to come."""
        was_bound = self.bound
        self.stage, self.since, self.asked = stage, now, False
        if self.bound and not was_bound:
            self.recovery.opened(now)
        elif was_bound and not self.bound:
            self.recovery.closed()
        if stage in (Stage.OPENING, Stage.CLOSING):
            self.attempt += 1
