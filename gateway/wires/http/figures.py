"""What the HTTP wire counts, in plain integers.  Pure."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

from gateway.wires.http.answer import Where
from services.telemetry.histogram import Histogram

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Buckets of the time that an answer takes: up to the patience with history, twice 0.5 s, and a little."""
CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")


class Route(StrEnum):
    """What is asked for: a metric label."""

    SYMBOLS = "symbols"
    QUOTES = "quotes"
    TICKS = "ticks"
    CANDLES = "candles"
    NONE = "none"
    """Something below /v1 that there is not."""


class Source(StrEnum):
    """Where an answer of history came from: a metric label."""

    HISTORY = "history"
    SHARED = "shared"
    """Somebody had asked the same, and waited."""
    KEPT = "kept"
    """Somebody had asked the same a moment ago."""


class Figures:
    """Everything that one gateway's HTTP wire counts."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[Route, str]] = Counter({(r, c): 0 for r in Route for c in CLASSES})
        self.seconds = {route: Histogram(SECONDS) for route in Route}
        self.recalled: Counter[Source] = Counter(dict.fromkeys(Source, 0))
        self.made: Counter[Where] = Counter(dict.fromkeys(Where, 0))
        self.bytes = self.unchanged = self.refused = 0
        self.under_way = self.pressing = self.unsent = 0

    def answered(self, route: Route, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests[route, f"{status // 100}xx"] += 1
        self.seconds[route].observe(seconds)
