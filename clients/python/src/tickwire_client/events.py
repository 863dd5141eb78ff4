"""What a client is told besides ticks.  Pure values; times are microseconds since 1970 UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tickwire_client.closing import Ending

FINAL: Final = frozenset({"lost", "forgotten"})
"""Gap reasons that no later question would change."""


CONNECTED: Final = "connected"
DISCONNECTED: Final = "disconnected"


@dataclass(frozen=True, slots=True)
class Gap:
    """Ticks *first* to *last* of *epoch* that are not coming on this connection.

    *last* None: nor is anything else up to the next tick, which comes as a snapshot.  *reason*: `lost`,
    `forgotten`, `unavailable` or `unknown_position` of the protocol, or `not_resumed`: the gateway did not take up
    the position that was asked for.  *final*: nobody has them.
    """

    symbol: str
    epoch: int
    first: int
    last: int | None
    reason: str

    @property
    def final(self) -> bool:
        """Whether no later question would bring them."""
        return self.reason in FINAL


@dataclass(frozen=True, slots=True)
class EpochChange:
    """The symbol's producer began anew: *epoch* counts from seq 1, and the one before it is complete."""

    symbol: str
    epoch: int


@dataclass(frozen=True, slots=True)
class SessionChange:
    """The symbol's trading session: `pre`, `open`, `closed` or `halted`."""

    symbol: str
    state: str
    reason: str | None
    since: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """How the feed of one shard, or the connection, stands.

    *feed*: `live` or `stale`; of the connection (*shard* None): `connected` or `disconnected`; then *reason* is
    for people, *how* for programs, *code* the close code or HTTP status, if there was one.
    """

    feed: str
    shard: str | None = None
    since: int | None = None
    reason: str | None = None
    how: Ending | None = None
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A frame that broke the table of cursors: a fault of the gateway, counted and got over.

    What it left out is accounted for as missing with the reason `violation`; what it repeats is not handed out.
    """

    symbol: str
    op: str
    detail: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """A command was not obeyed, or not in full: the protocol's `error`."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """The gateway will not follow *symbol* (`*`: the whole directory)."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """The token expires within 60 s; *required*: the gateway asks for one before anything else."""

    required: bool = False


Event = Gap | EpochChange | SessionChange | Status | Violation | Complaint | Rejection | TokenWanted
