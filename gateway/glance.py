"""What a gateway knows of one symbol by itself, at this moment.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from gateway.tape import Tape
from services.market.position import Position


class Glance(NamedTuple):
    """Good for the turn of the loop in which it was taken: the tape goes on."""

    bound: bool
    """Whether live ticks come."""
    tape: Tape | None
    """None: nobody here has followed the symbol for a while."""
    mark: Position | None
    """The last position that a heartbeat named."""

    @property
    def newest(self) -> tuple[Position, bytes] | None:
        """The newest tick on the tape; None: it has none, or nobody has its newest one."""
        tape = self.tape
        return None if tape is None or tape.newest is None or not tape.ring else (tape.newest, tape.ring[-1])

    @property
    def current(self) -> bool:
        """Whether the tape's newest tick is the newest of all, as far as anybody here can know."""
        newest = self.newest
        return self.bound and newest is not None and (self.mark is None or newest[0] >= self.mark)
