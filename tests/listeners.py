"""Listeners that write down what they are told, in order; and ticks to tell them about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from services.broker.ports import LostReason, Outgoing, Route, SinkListener, SourceListener, TickSink, TickSource
from services.errors import MalformedMessage
from services.market.control import Control, Heartbeat, encode_control
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import TickMessage, encode_body, encode_tick, message_id
from tests.eventually import eventually


def line(symbol: str, seq: int, *, price: int = 10_000) -> bytes:
    """The bytes of a tick."""
    return encode_tick(
        Tick(seq, 1_795_000_000_000_000 + seq, Symbol(symbol), price, 1, price - 1, price + 1, 2, 3, seq, 2)
    )


def outgoing(symbol: str, *seqs: int, epoch: int = 1, route: Route = Route.TICK) -> Outgoing:
    """A message of the ticks *seqs* of *symbol*."""
    body = encode_body([line(symbol, seq) for seq in seqs])
    return Outgoing(route, symbol, message_id(epoch, seqs[0], 1_795_000_000_000_000), body)


def heartbeat(shard: str) -> Heartbeat:
    """A heartbeat of *shard*."""
    return Heartbeat(shard, epoch=1, time=2, directory_version=3, marks={Symbol("BRK.B"): 4}, full=False)


def control(message: Control | bytes) -> Outgoing:
    """A control message, or any other body on its route."""
    body = message if isinstance(message, bytes) else encode_control(message)
    return Outgoing(Route.CONTROL, "", None, body)


@dataclass(slots=True)
class SourceRecord(SourceListener):
    """What a source told."""

    connections: int = 0
    lost: list[LostReason] = field(default_factory=list)
    batches: list[tuple[TickMessage, ...]] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    malformed: list[MalformedMessage] = field(default_factory=list)
    unfollowed: list[Symbol] = field(default_factory=list)
    on_first_malformed: Callable[[], object] = bool
    """What to do in the first `on_malformed`; nothing by default."""

    def on_connected(self) -> None:
        """Count it."""
        self.connections += 1

    def on_lost(self, reason: LostReason) -> None:
        """Keep the reason."""
        self.lost.append(reason)

    def on_ticks(self, messages: Sequence[TickMessage]) -> None:
        """Keep the messages, and which came together."""
        self.batches.append(tuple(messages))

    def on_control(self, message: Control) -> None:
        """Keep the message."""
        self.controls.append(message)

    def on_malformed(self, error: MalformedMessage) -> None:
        """Keep the error."""
        self.malformed.append(error)
        if len(self.malformed) == 1:
            self.on_first_malformed()

    def on_unfollowed(self, symbol: Symbol) -> None:
        """Keep the symbol."""
        self.unfollowed.append(symbol)

    def messages(self, symbol: str) -> list[TickMessage]:
        """The messages of *symbol* in the order told."""
        return [m for batch in self.batches for m in batch if m.symbol == symbol]

    def positions(self, symbol: str) -> list[Position]:
        """The positions of *symbol* in the order told."""
        return [Position(m.epoch, m.first + i) for m in self.messages(symbol) for i in range(len(m.lines))]

    def seqs(self, symbol: str) -> list[int]:
        """The sequences of *symbol* in the order told."""
        return [p.seq for p in self.positions(symbol)]

    async def reached(self, symbol: str, seq: int) -> None:
        """Return once tick *seq* of *symbol* has been told, in whatever epoch."""
        await eventually(lambda: seq in self.seqs(symbol))


@dataclass(slots=True)
class SinkRecord(SinkListener):
    """What a sink told."""

    connections: int = 0
    lost: list[LostReason] = field(default_factory=list)
    answers: list[tuple[int, bool, bool]] = field(default_factory=list)
    """number, multiple, accepted."""
    blocked: list[bool] = field(default_factory=list)

    def on_connected(self) -> None:
        """Count it; numbering starts again."""
        self.connections += 1
        self.answers.clear()

    def on_lost(self, reason: LostReason) -> None:
        """Keep the reason."""
        self.lost.append(reason)

    def on_settled(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """Keep the answer."""
        self.answers.append((number, multiple, accepted))

    def on_blocked(self, *, blocked: bool) -> None:
        """Keep which."""
        self.blocked.append(blocked)

    @property
    def settled(self) -> dict[int, bool]:
        """Every number that was answered on this connection, and whether it was accepted.

        Raises:
            AssertionError: a number was answered twice.
        """
        verdicts: dict[int, bool] = {}
        for number, multiple, accepted in self.answers:
            covered = [n for n in range(1, number) if n not in verdicts] if multiple else []
            for n in (*covered, number):
                assert n not in verdicts, f"{n} was settled twice"
                verdicts[n] = accepted
        return verdicts


@asynccontextmanager
async def running_source(source: TickSource) -> AsyncIterator[SourceRecord]:
    """Run *source* until the end of the block; entered when it is connected."""
    record = SourceRecord()
    task = asyncio.create_task(source.run(record))
    try:
        await _connected(task, record)
        yield record
    finally:
        await _cancelled(task)


@asynccontextmanager
async def running_sink(sink: TickSink) -> AsyncIterator[SinkRecord]:
    """Run *sink* until the end of the block; entered when it is connected."""
    record = SinkRecord()
    task = asyncio.create_task(sink.run(record))
    try:
        await _connected(task, record)
        yield record
    finally:
        await _cancelled(task)


async def _connected(task: asyncio.Task[None], record: SourceRecord | SinkRecord) -> None:
    # A broker that has just been started may refuse for some seconds.
    await eventually(lambda: record.connections or task.done(), deadline=30.0)
    if task.done():
        task.result()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
