"""What the sessions of a gateway count, in plain integers.  Pure.

`gateway.metrics` shows it at each scrape (an `inc` of the metrics library costs 0.35 µs, an integer 0.02 µs).
Every label has a closed set of values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from gateway.admission.authority import Reason
from gateway.admission.refusal import Handshake
from gateway.closing import SEEN, TABLE, Close, Side
from services.telemetry.histogram import Histogram

BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01,
    0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
"""Upper bounds of the latency histogram, seconds."""

HANDSHAKE_SECONDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Buckets of handshakes: up to the 10 s that a request may take to be complete."""
PING_SECONDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Buckets of pings: from a client on the same machine to one that answers just before the next ping."""
FLUSH_CLIENTS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""Buckets of clients that are written to in one pass; 0: ticks that nobody here follows any more."""


class Stage(StrEnum):
    """A part of a tick's way."""

    BROKER = "broker"
    """From the tick's time to the gateway."""
    FANOUT = "fanout"
    """From the gateway's socket to the last client's."""
    TOTAL = "total"


class Eviction(StrEnum):
    """Why a connection was torn down without a close frame."""

    STUCK = "stuck"
    """Took not one byte for too long."""
    SILENT = "silent"
    """Answered two pings in a row with nothing."""
    DRAIN = "drain"
    """Did not leave in time while the gateway was ending."""


class Flood(StrEnum):
    """What a client sent too much of: it was closed with 4429."""

    COMMANDS = "commands"
    PINGS = "pings"
    """Pings, and pongs that nobody asked for."""


class Op(StrEnum):
    """A command, for the label `op`."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    LIST = "list"
    PING = "ping"
    AUTH = "auth"
    INVALID = "invalid"
    """No command could be read from the frame."""


class Counters:
    """Everything that the sessions of one gateway count."""

    __slots__ = (
        "bytes",
        "closes",
        "commands",
        "contents",
        "dead_writes",
        "evictions",
        "floods",
        "flush_clients",
        "flushes",
        "frames",
        "handshake_times",
        "handshakes",
        "invalid_latencies",
        "latencies",
        "ping_times",
        "slow",
        "ticks",
        "tokens_accepted",
        "tokens_refused",
    )

    def __init__(self) -> None:
        self.frames = self.ticks = self.bytes = self.slow = self.dead_writes = self.invalid_latencies = 0
        self.contents = self.flushes = self.tokens_accepted = 0
        self.latencies = {stage: Histogram(BUCKETS, parts=1_000_000) for stage in Stage}
        self.handshake_times = Histogram(HANDSHAKE_SECONDS)
        self.ping_times = Histogram(PING_SECONDS)
        self.flush_clients = Histogram(FLUSH_CLIENTS)
        self.commands: Counter[tuple[str, str]] = Counter({(op, "ok"): 0 for op in Op if op is not Op.INVALID})
        self.closes: Counter[tuple[Close, Side]] = Counter({(c, s): 0 for c in (*TABLE, *SEEN) for s in Side})
        self.evictions: Counter[Eviction] = Counter(dict.fromkeys(Eviction, 0))
        self.floods: Counter[Flood] = Counter(dict.fromkeys(Flood, 0))
        self.handshakes: Counter[Handshake] = Counter(dict.fromkeys(Handshake, 0))
        self.tokens_refused: Counter[Reason] = Counter(dict.fromkeys(Reason, 0))

    def sent(self, frames: int, ticks: int, size: int) -> None:
        """Count what was written: *size* is bytes."""
        self.frames += frames
        self.ticks += ticks
        self.bytes += size

    def passed(self, times: Sequence[int], received: int, written: int) -> None:
        """Count the latencies of ticks of these *times* that were received and written then (µs since 1970).

        One below zero (two clocks that disagree) counts as zero and as invalid.
        """
        for stage, at in ((Stage.BROKER, received), (Stage.TOTAL, written)):
            latencies = [at - time for time in times]
            if latencies and min(latencies) < 0:
                self.invalid_latencies += sum(latency < 0 for latency in latencies)
                latencies = [max(0, latency) for latency in latencies]
            self.latencies[stage].observe_all(latencies)
        self.latencies[Stage.FANOUT].observe_all((max(0, written - received),), len(times))
