"""An in-memory broker on a bench: a clock that stands still, sleeps that take no time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.broker.history import Answer, Question
from services.broker.memory import Faults, MemoryBroker
from services.broker.memory.sink import MemorySink
from services.broker.memory.source import MemorySource
from services.market.position import Position
from services.market.symbol import Symbol
from tests.eventually import turns
from tests.listeners import SinkRecord, SourceRecord, outgoing, running_sink, running_source
from tests.unkind import UnkindHistory

A, B = Symbol("A"), Symbol("B")
START = Position(0, 0)


@dataclass(slots=True)
class StillClock:
    """A clock that a test moves."""

    now: float = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def wall_us(self) -> int:
        """Microseconds."""
        return int(self.now * 1e6)


@dataclass(slots=True)
class Bench:
    """A broker with a source, a sink and what they told; sleeping takes no time and is written down."""

    clock: StillClock = field(default_factory=StillClock)
    slept: list[float] = field(default_factory=list)
    broker: MemoryBroker = field(init=False)
    source: MemorySource = field(init=False)
    sink: MemorySink = field(init=False)
    got: SourceRecord = field(init=False)
    told: SinkRecord = field(init=False)
    history: UnkindHistory = field(init=False)

    async def sleep(self, seconds: float) -> None:
        """Note *seconds* and yield once."""
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def ask(self, after: Position | None = START, symbol: Symbol = A) -> Answer:
        """Ask history."""
        return await self.history.ask(Question(symbol, after))

    async def logged(self, symbol: Symbol = A) -> list[int]:
        """The sequences that history has of *symbol*."""
        return [position.seq for position, _ in (await self.ask(symbol=symbol)).ticks]

    async def publish(self, *seqs: int, symbol: Symbol = A) -> None:
        """Publish a message per tick and let everything settle."""
        self.sink.publish([outgoing(symbol, seq) for seq in seqs])
        await turns()


@asynccontextmanager
async def bench(faults: Faults | None = None) -> AsyncIterator[Bench]:
    """A bench whose source follows A and B."""
    b = Bench()
    b.broker = MemoryBroker(clock=b.clock, faults=faults, sleep=b.sleep)
    b.history = UnkindHistory(b.broker)
    b.source, b.sink = b.broker.source("source"), b.broker.sink("sink")
    async with running_source(b.source) as b.got, running_sink(b.sink) as b.told:
        await b.source.follow(A)
        await b.source.follow(B)
        yield b
