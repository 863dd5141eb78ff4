"""What a gateway says to a client, before a wire has put it into its own words.  Pure.

An outbox holds these values in the order in which they must be said.  Ticks are the exception: a tick is not an
object here but its bytes as the producer encoded them, since it is the one thing that passes a million times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.market.day import Day
from services.market.directory import Instrument, SessionState
from services.market.position import Position
from services.market.symbol import Symbol


class GapReason(StrEnum):
    """Why ticks are not coming on this connection."""

    LOST = "lost"
    FORGOTTEN = "forgotten"
    UNAVAILABLE = "unavailable"
    UNKNOWN_POSITION = "unknown_position"


class Rejection(StrEnum):
    """Why a symbol was not subscribed."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_ENTITLED = "not_entitled"
    """The token does not name it."""
    DELAYED_UNAVAILABLE = "delayed_unavailable"
    """The token is for delayed data, which this version does not have."""
    FEED_UNAVAILABLE = "feed_unavailable"
    CANCELLED = "cancelled"
    """Unsubscribed before it was bound."""


class NoSnapshot(StrEnum):
    """Why a symbol has no tick in a snapshot; its first tick comes as a `snapshot` later."""

    NEVER_TRADED = "never_traded"
    UNAVAILABLE = "unavailable"


class Following(StrEnum):
    """How a subscription stands, in the answer to `list`."""

    LIVE = "live"
    BEHIND = "behind"
    CONFLATING = "conflating"


@dataclass(frozen=True, slots=True)
class Accepted:
    """One symbol of a `Subscribed`: where its cursor starts, and at what rate it conflates (None: not)."""

    position: Position | None
    max_rate: float | None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Part of the answer to `subscribe`: at most 200 symbols; *pending* names are still to come."""

    id: int
    symbols: dict[Symbol, Accepted]
    rejected: dict[Symbol, Rejection]
    pending: int
    candles: int | None = None
    """The step of the candles that were asked for, in seconds; None: ticks were."""


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """Nothing of *symbols* follows.  *id* is None where the gateway did it by itself, for *reason*."""

    id: int | None
    symbols: tuple[Symbol, ...]
    reason: str | None
    candles: int | None = None
    """The step of the candles that it is about, in seconds; None: it is about ticks."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One line of the answer to `list`."""

    cursor: Position | None
    max_rate: float | None
    state: Following


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The answer to `list`."""

    id: int
    symbols: dict[Symbol, Subscription]
    candles: Mapping[Symbol, Sequence[int]] = field(default_factory=dict)
    """The steps of the candles followed, by symbol."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest tick of a symbol: the cursor jumps to it.  A wire may join neighbours of one epoch."""

    symbol: Symbol
    epoch: int
    tick: bytes


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no snapshot of *symbol* (yet)."""

    symbol: Symbol
    reason: NoSnapshot


@dataclass(frozen=True, slots=True)
class Today:
    """The day's figures of a symbol, which follow its snapshot; moves no cursor.

    *day* counts the ticks up to its `at`; None: history did not give it in time.
    """

    instrument: Instrument
    day: Day | None


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one symbol and step that began or changed, oldest first; the last one may grow.  Moves no cursor.

    *reset*: they replace all that the client has.  *rows*: each as the bytes that a native client sees.
    """

    symbol: Symbol
    step: int
    reset: bool
    rows: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Ticks *first* to *last* of *epoch* are not coming; *last* None: the next tick comes as a snapshot."""

    symbol: Symbol
    epoch: int
    first: int
    last: int | None
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Epoch:
    """The symbol's ticks go on in a later epoch, from seq 1."""

    symbol: Symbol
    epoch: int


@dataclass(frozen=True, slots=True)
class Session:
    """The symbol's trading session changed; moves no cursor."""

    symbol: Symbol
    state: SessionState
    reason: str | None
    since: int


@dataclass(frozen=True, slots=True)
class Status:
    """A shard's feed went stale or live at *since* (microseconds since 1970)."""

    live: bool
    since: int
    shard: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Go to another gateway within *in_ms* milliseconds; the connection will be closed."""

    in_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to `ping`."""

    id: int


@dataclass(frozen=True, slots=True)
class Authorized:
    """A token is in force until *expires* (microseconds since 1970; None: for ever), with these *limits*.

    *id* is None where nobody asked: it expires within 60 s.
    """

    id: int | None
    expires: int | None
    limits: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Error:
    """A command was refused; nothing else is disturbed.  *id* is None where the command had no usable one."""

    id: int | None
    code: str
    message: str


Frame = (
    Subscribed
    | Unsubscribed
    | Subscriptions
    | Snapshot
    | Missing
    | Today
    | Candles
    | Gap
    | Epoch
    | Session
    | Status
    | Reconnect
    | Pong
    | Authorized
    | Error
)
