"""What a client may ask: the commands, after their wire has parsed them.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.market.position import Position
from services.market.symbol import Symbol

EVERYTHING: Final = Symbol("*")
"""Stands alone in `Subscribe.symbols` or `Unsubscribe.symbols`: the whole directory and what joins it."""

NAMES: Final = 25
"""Names that count as one command more.  To subscribe and unsubscribe takes 22 us a name (measured): 50 commands a
second of 1,000 names each would be half a core, and two clients within their limits the whole gateway.  With 25,
1,000 symbols may be asked for at once in up to 60 commands."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Follow *symbols* (distinct, checked).  *resume* names only symbols among them."""

    id: int
    symbols: tuple[Symbol, ...]
    max_rate: float | None = None
    """Ticks per second and symbol, 0.1 to 100; None: every tick."""
    snapshot: bool = True
    resume: Mapping[Symbol, Position] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Follow *symbols* no longer."""

    id: int
    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class SubscribeCandles:
    """Follow the candles of *symbols* (distinct, checked) with this *step*, independent of their ticks."""

    id: int
    symbols: tuple[Symbol, ...]
    step: int
    """Seconds; one of `services.market.candle.STEPS`."""
    history: int = 300
    """How many candles to begin with, 0 to 500."""


@dataclass(frozen=True, slots=True)
class UnsubscribeCandles:
    """Follow the candles of *symbols* with this *step* no longer."""

    id: int
    symbols: tuple[Symbol, ...]
    step: int


@dataclass(frozen=True, slots=True)
class List:
    """Name my subscriptions."""

    id: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer at once."""

    id: int


@dataclass(frozen=True, slots=True)
class Auth:
    """Use this token from now on."""

    id: int
    token: str


Wish = Subscribe | SubscribeCandles
"""What is answered once the broker has bound its symbols."""
FeedCommand = Subscribe | SubscribeCandles | Unsubscribe | UnsubscribeCandles | List
"""What the hub obeys."""
Command = FeedCommand | Ping | Auth


def weight(command: Command, *, followed: int, most: int) -> int:
    """Return how many commands *command* counts as beside itself, by the names that it is about.

    *followed*: symbols that its client follows; *most*: that one client may follow, for `*`.
    """
    match command:
        case (
            Subscribe(symbols=symbols)
            | Unsubscribe(symbols=symbols)
            | SubscribeCandles(symbols=symbols)
            | UnsubscribeCandles(symbols=symbols)
        ):
            return (most if symbols == (EVERYTHING,) else len(symbols)) // NAMES
        case List():
            return followed // NAMES
        case _:
            return 0
