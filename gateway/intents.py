"""What the hub wants done: the feed carries it out and tells the hub what came of it.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.broker.history import CandleQuestion, Question
from services.market.symbol import Symbol


@dataclass(frozen=True, slots=True)
class Open:
    """Follow *symbol* at the broker, then say `opened` or `refused`."""

    symbol: Symbol
    attempt: int
    who: object = field(default=None, compare=False, repr=False)
    """The client that waits for it; None: it has followers already."""


@dataclass(frozen=True, slots=True)
class Close:
    """Unfollow *symbol* at the broker, then say `closed`."""

    symbol: Symbol
    attempt: int


@dataclass(frozen=True, slots=True)
class Rebind:
    """Bind *symbol* again: its marks run ahead while its queue is silent."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Ask:
    """Put *question* to history, then say `answer` or `unanswered`."""

    question: Question


@dataclass(frozen=True, slots=True)
class AskCandles:
    """Put *question* to history, then say `answer` or `unanswered` to the charts."""

    question: CandleQuestion


@dataclass(frozen=True, slots=True)
class Probe:
    """Find out whether the broker still lives: *shard* sent no heartbeat for 3 s."""

    shard: str


Intent = Open | Close | Rebind | Ask | AskCandles | Probe
