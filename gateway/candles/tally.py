"""What the candles of a gateway did since its start.  Pure; read by metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from gateway.candles.series import Doubt


class Reset(StrEnum):
    """Why clients were told to replace the candles that they have."""

    SUBSCRIBED = "subscribed"
    """They came."""
    HOLE = Doubt.HOLE.value
    AHEAD = Doubt.AHEAD.value
    LATE = Doubt.LATE.value
    RETURNED = "returned"
    """History answers again."""


@dataclass(slots=True)
class CandleTally:
    """Plain counters."""

    questions: int = 0
    """Questions put to history."""
    unanswered: int = 0
    """Of these, those that nobody answered in time, or without a position."""
    frames: int = 0
    rows: int = 0
    """Frames said to clients, and the candles in them."""
    withheld: int = 0
    """Updates that a client with a full socket was not sent; it gets the candles' last state later."""
    resets: dict[Reset, int] = field(default_factory=lambda: dict.fromkeys(Reset, 0))


class CandleStanding(NamedTuple):
    """How the candles stand at one moment."""

    charts: int = 0
    """Symbols and intervals that are followed."""
    alone: int = 0
    """Of these, those that go on without history."""
    waiting: int = 0
    """Of these, those that wait for history's answer."""
    followers: int = 0
    """Of these, those that get ticks."""
    viewers: int = 0
    """Symbols and intervals followed, summed over clients."""
    rows: int = 0
    bytes: int = 0
    """Candles kept, and the bytes of the finished ones."""
