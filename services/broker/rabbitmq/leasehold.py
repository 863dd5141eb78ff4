"""One connection's part in a lease: which message to keep, which to drop, when to write and when to look (PURE).

The lease of a shard is a message in a queue with a single active consumer; whoever has it unacknowledged holds the
lease, and the message carries the largest epoch that a holder wrote.  There may be several such messages:

- Two producers that find the queue empty each put one in.  So does one that waits while the holder's message is
  in its hands: nobody else sees an unacknowledged message, so a lost one (a purge, a queue deleted and declared
  again) looks the same.  A spare one does no harm: the broker hands it to the active consumer only, behind the
  first, and it says epoch 0.
- A holder that writes publishes first and acknowledges the old message once the new one is confirmed; between the
  two there are both.

- A broker that was killed may have forgotten that a message was acknowledged, and hand it out again.

A holder that has written keeps what it wrote last, known by the identity of the publish, and drops all that comes
before it, unless that has a later epoch.  So with each write, at the latest with the next renewal, one is left.
Whoever is handed a first message while others are ready writes before it counts as holder, and so sees them all.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

RENEW_S: Final = 300.0
"""Seconds for which one message is held: RabbitMQ closes a channel that leaves one unacknowledged for 30 min."""
LOOK_S: Final = 5.0
"""Seconds between two looks whether there is a lease at all."""
LONGEST_EPOCH: Final = 16
"""Digits of an epoch: what ticks can carry."""


class Note(NamedTuple):
    """A lease message; *identity* names this one publish."""

    epoch: int
    identity: str


class Arrival(NamedTuple):
    """What to do about a message that came."""

    drop: bool
    """Acknowledge it away."""
    later: bool
    """It says a later epoch than was known."""


class Due(Enum):
    """What the clock asks for."""

    NOTHING = auto()
    RENEW = auto()
    """Write the same epoch again."""
    LOOK = auto()
    """Ask the broker how many messages are ready, and call `lacks`."""


class Leasehold:
    """The lease on one connection.  *tag*: the broker's delivery number; times are seconds that never go back."""

    def __init__(self, renew_s: float = RENEW_S) -> None:
        self._renew_s, self._renew_at = renew_s, 0.0
        self._kept: int | None = None
        self._awaited = ""
        self.held = False
        """Whether all messages were seen since the first one came: only then the epoch is known."""
        self.epoch = 0
        """The largest that was read or written."""

    def came(self, tag: int, note: Note) -> Arrival:
        """A message was handed to us."""
        later = note.epoch > self.epoch
        self.epoch = max(self.epoch, note.epoch)
        if self._awaited and note.identity != self._awaited and not later:
            return Arrival(drop=True, later=False)
        if note.identity == self._awaited:
            self._awaited = ""
        self._kept = tag
        return Arrival(drop=False, later=later)

    def unseen(self, ready: int) -> bool:
        """Whether to write before the lease counts as held, where *ready* messages stand behind the first one."""
        return ready > 0 or bool(self._awaited)

    def hold(self, now: float) -> None:
        """The lease counts as held."""
        self.held, self._renew_at = True, now + self._renew_s

    def writes(self, note: Note) -> None:
        """*note* is about to be published in place of what is kept."""
        self._awaited = note.identity
        self.epoch = max(self.epoch, note.epoch)

    def written(self, now: float) -> int | None:
        """The broker has what was written: return the tag of the message that may go."""
        self._renew_at = now + self._renew_s
        kept, self._kept = self._kept, None
        return kept

    @property
    def settled(self) -> bool:
        """Whether what was written last has come back, or a later epoch has."""
        return self._kept is not None

    def due(self, now: float) -> Due:
        """Return what to do at *now*; asked every `LOOK_S`."""
        if self._kept is None:
            return Due.LOOK
        return Due.RENEW if now >= self._renew_at else Due.NOTHING

    def lacks(self, ready: int) -> bool:
        """Whether a message must be put in, where the broker says that *ready* ones wait in the queue."""
        return self._kept is None and not ready


def parse(body: bytes) -> int:
    """Return the epoch in the body of a lease message; 0 where no codec of ours wrote it."""
    return int(body) if body.isdigit() and len(body) <= LONGEST_EPOCH else 0
