"""Whether this producer leads its shard, and what becomes of its run when it does not.  Pure.

A run may go on after the lease was lost only if the lease still says what this run wrote into it.  A later epoch
there means that another producer has led.  An earlier one means that the lease itself was lost and made anew, and
nobody knows who led meanwhile.  Either way the run is over, and the next one gets a later epoch than all of them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

PATIENCE_S: Final = 10.0
"""How long the broker may keep the lease from us before somebody else counts as its holder.

A holder that died is noticed at once and a frozen one after 4.3 s: two missed heartbeats of 2 s.  So is an older
connection of our own, whose lease comes back to us.
"""


class Stage(StrEnum):
    """Where a producer stands."""

    WAITING = "waiting"
    """No run; the lease is not ours."""
    TAKING = "taking"
    """No run yet; the lease is ours."""
    LEADING = "leading"
    """The run publishes."""
    SUSPENDED = "suspended"
    """The run makes ticks, but publishes nothing until it is known whose the lease is."""
    OVER = "over"
    """The run must end: another producer has led since, or may have."""
    DENIED = "denied"
    """Another producer holds the lease, and this one was not told to wait for it."""


class Leadership:
    """The stages of one producer.  *standby*: wait for the lease for ever.  Times: seconds that never go back."""

    def __init__(self, *, standby: bool) -> None:
        self._standby = standby
        self._held = False
        self._since: float | None = None
        self.stage = Stage.WAITING
        self.epoch = 0
        """Of the run; 0: there is none."""
        self.known = 0
        """The largest epoch that the lease was known to hold."""

    # ---------------------------------------------------------------------------------------- what the lease says

    def asked(self, now: float) -> None:
        """The lease was asked for, on a new connection."""
        self._withdraw()
        self._since = now

    def held(self, epoch: int) -> None:
        """The lease is ours, and says *epoch*."""
        self._held, self._since, self.known = True, None, epoch
        if self.stage is Stage.WAITING:
            self.stage = Stage.TAKING
        elif self.stage in (Stage.LEADING, Stage.SUSPENDED):
            self.stage = Stage.LEADING if epoch == self.epoch else Stage.OVER

    def lost(self) -> None:
        """The lease is not ours any more, or nobody knows."""
        self._withdraw()
        self._since = None

    def _withdraw(self) -> None:
        self._held = False
        if self.stage is Stage.TAKING:
            self.stage = Stage.WAITING
        elif self.stage is Stage.LEADING:
            self.stage = Stage.SUSPENDED

    # ------------------------------------------------------------------------------------------- what the run says

    def begin(self, epoch: int) -> bool:
        """Begin a run whose *epoch* was written into the lease; False: the lease has gone on meanwhile."""
        if self.stage is not Stage.TAKING or epoch <= self.known:
            return False
        self.stage, self.epoch = Stage.LEADING, epoch
        return True

    def ended(self) -> None:
        """The run that was over has ended."""
        self.epoch = 0
        self.stage = Stage.TAKING if self._held else Stage.WAITING

    # ------------------------------------------------------------------------------------------------------- time

    @property
    def waits(self) -> bool:
        """Whether the broker was asked for the lease and has not given it."""
        return self._since is not None

    def patience(self, now: float) -> float | None:
        """Seconds until `due` has something to do; None: never."""
        if self._since is None or self.stage not in (Stage.WAITING, Stage.SUSPENDED):
            return None
        if self._standby and self.stage is Stage.WAITING:
            return None
        return max(0.0, self._since + PATIENCE_S - now)

    def due(self, now: float) -> None:
        """Do what the clock asks for: somebody else holds the lease."""
        if self.patience(now) == 0.0:
            self.stage = Stage.OVER if self._standby else Stage.DENIED
