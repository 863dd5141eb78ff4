"""What is measured, as data.  `benchmarks/README.md` says why each is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

EVERYBODY: Final = ("floor", "tickwire", "nchan", "nats", "broadcast", "naive", "stock", "web_mqtt")
SWIFT: Final = ("floor", "tickwire", "nchan", "nats", "broadcast", "stock")
"""Who can write 45,000 times a second on one core."""


@dataclass(frozen=True)
class FanOut:
    """*clients* clients of one symbol get *ticks* ticks at once, *rate* times a second."""

    name: str
    rate: float
    ticks: int
    clients: int = 500
    seconds: float = 6.0
    warmup: float = 2.0
    peers: Sequence[str] = EVERYBODY
    runs: int = 3
    """How often each has its turn; the row is the median run."""


@dataclass(frozen=True)
class Market:
    """A simulated market behind RabbitMQ: *rate* ticks/s over 100 symbols, of which each client follows *each*.

    *variants* share the runs: they take turns, so that what else the machine does hits all of them.
    """

    name: str
    rate: int
    clients: int = 500
    each: int = 10
    seconds: float = 15.0
    warmup: float = 4.0
    runs: int = 1
    variants: Mapping[str, Variant] = field(default_factory=lambda: {"": Variant()})


@dataclass(frozen=True)
class Variant:
    """How a market is served and read."""

    slow_share: float = 0.0
    """Share of the clients that read *slow_rate* bytes a second."""
    slow_rate: float = 1024.0
    tls: bool = False
    log: bool = True
    """Whether RabbitMQ keeps the stream that all ticks go to as well."""
    workers: int = 1
    gateway: Mapping[str, Any] = field(default_factory=dict)
    """Settings."""
    producer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Idle:
    """*connections* clients that follow *each* symbols of a market at rest."""

    name: str
    connections: int = 10_000
    each: int = 10
    tls: bool = False
    seconds: float = 20.0
    """For which the CPU is counted."""


@dataclass(frozen=True)
class Storm:
    """*newcomers* connect as fast as they can, beside *clients* that are being served."""

    name: str
    newcomers: int = 5_000
    rate: int = 1_000
    clients: int = 200
    each: int = 10
    seconds: float = 8.0
    """Over which the others' latency is counted, from the newcomers' first packet on."""
    runs: int = 3


@dataclass(frozen=True)
class Ingest:
    """Messages consumed at *rates* per second, beside stock aio-pika."""

    name: str
    rates: Sequence[int] = (2_000, 15_000)
    seconds: float = 3.0
    """Of one turn."""
    runs: int = 3


@dataclass(frozen=True)
class Publish:
    """Messages published as fast as confirms come, beside stock aio-pika."""

    name: str
    seconds: float = 3.0
    """Of one turn."""
    runs: int = 3


Scenario = FanOut | Market | Idle | Storm | Ingest | Publish

_SLOW: Final = {"": Variant(), "20 % of the clients read 1 KB/s": Variant(slow_share=0.2)}
_OFTEN: Final = {"PACING_MS": 5}
_WAYS: Final = {
    "": Variant(),
    "no log stream": Variant(log=False),
    "5 ms pacing": Variant(producer=_OFTEN),
    "5 ms pacing, no log stream": Variant(producer=_OFTEN, log=False),
}
"""How RabbitMQ, which is the limit at such rates, has less or more to do."""
_TLS: Final = {"": Variant(), "TLS": Variant(tls=True)}

FULL: Final[Sequence[Scenario]] = (
    FanOut("fan-out, one tick at a time", rate=40, ticks=1),
    FanOut("fan-out, one tick at a time, 90 a second", rate=90, ticks=1, peers=SWIFT),
    FanOut("fan-out, 16 ticks a batch", rate=40, ticks=16),
    Ingest("ingest"),
    Publish("publish"),
    Market("market, 1,000 ticks/s", rate=1_000),
    Market("market, 5,000 ticks/s", rate=5_000, seconds=30),
    # The simulated day's first minute has 0.96 of the ticks of an average one.
    Market("market, 20,000 ticks/s", rate=21_000, seconds=60, variants=_WAYS),
    Market("market, 40,000 ticks/s", rate=42_000, seconds=20, variants=_WAYS),
    Market("slow readers", rate=5_000, runs=3, variants=_SLOW),
    Market("TLS in the gateway", rate=5_000, runs=3, variants=_TLS),
    Idle("10,000 idle connections"),
    Idle("10,000 idle connections, TLS", tls=True),
    Storm("5,000 connections at once"),
)  # fmt: skip

_FEW: Final = ("floor", "tickwire", "nchan", "nats", "broadcast")
QUICK: Final[Sequence[Scenario]] = (
    FanOut("fan-out, one tick at a time", rate=40, ticks=1, seconds=2, warmup=1, runs=1, peers=_FEW),
    FanOut("fan-out, 16 ticks a batch", rate=40, ticks=16, seconds=2, warmup=1, runs=1, peers=_FEW[:2]),
    Ingest("ingest", rates=(15_000,), runs=1),
    Market("market, 5,000 ticks/s", rate=5_000, seconds=6, warmup=3),
    Idle("2,000 idle connections", connections=2_000, seconds=3),
    Storm("1,000 connections at once", newcomers=1_000, seconds=3, runs=1),
)
"""Everything once, in less than two minutes: that it works, and an order of magnitude."""


def chosen(scenarios: Sequence[Scenario], words: Sequence[str]) -> list[Scenario]:
    """Return those with one of *words* in their names; all, if there are no words.

    Raises:
        ValueError: a word is in no name.
    """
    for word in words:
        if not any(word in scenario.name for scenario in scenarios):
            names = "; ".join(scenario.name for scenario in scenarios)
            raise ValueError(f"no scenario has {word!r} in its name; there are: {names}")
    return [s for s in scenarios if not words or any(word in s.name for word in words)]


def with_peers(scenarios: Sequence[Scenario], peers: Sequence[str]) -> list[Scenario]:
    """Return the scenarios with only *peers* in the fan-outs; with all, if none is named."""
    if not peers:
        return list(scenarios)
    return [replace(s, peers=tuple(peers)) if isinstance(s, FanOut) else s for s in scenarios]
