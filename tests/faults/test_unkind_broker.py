"""Two feeds over an unkind broker: every fault of `Faults.rough`, by seed, and a checker on every client.

Real producer, real hub, recovery and encoder; the sockets are left out, so that clients can come, go and move
thousands of times a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from gateway.client import Client
from gateway.commands import Subscribe, Unsubscribe
from gateway.feed import Feed
from gateway.outbox import Outbox
from gateway.wires.native.encode import encode
from producer import app as producer
from producer.settings import ProducerSettings
from services.broker.history import AbsentHistory, History
from services.broker.memory import Faults, MemoryBroker
from services.broker.ports import NO_CONTEXTS, Contexts, Outgoing, Route, SinkListener, TickSink
from services.errors import BrokerUnavailable
from services.market.control import Heartbeat
from services.market.position import Position
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.checker import Checker
from tests.eventually import eventually
from tests.listeners import control, running_sink
from tests.unkind import UnkindHistory

SYMBOLS = [Symbol(name) for name in ("AAA", "BBB", "BRK.B", "CCC", "DDD", "EEE")]
CLOCK = SystemClock()


class Ears(TickSink):
    """A sink that remembers the last position handed to it, by symbol."""

    def __init__(self, sink: TickSink) -> None:
        self._sink = sink
        self.last: dict[str, tuple[int, int]] = {}

    async def run(self, listener: SinkListener) -> None:
        """Run the sink."""
        await self._sink.run(listener)

    def publish(self, messages: Sequence[Outgoing], contexts: Contexts = NO_CONTEXTS) -> int:
        """Publish, and remember."""
        number = self._sink.publish(messages, contexts)
        for message in messages:
            if message.route is Route.TICK and message.identity is not None:
                epoch, first, _ = map(int, message.identity.split("-"))
                position = (epoch, first + message.body.count(b"\n"))
                self.last[message.symbol] = max(position, self.last.get(message.symbol, position))
        return number

    def reconnect(self) -> None:
        """Have the sink reconnect."""
        self._sink.reconnect()

    async def newest_epoch(self, symbols: Collection[Symbol]) -> int | None:
        """Ask the sink."""
        return await self._sink.newest_epoch(symbols)


class Wanderer:
    """A client without a socket: it comes, subscribes, leaves, and takes its cursors to the other feed."""

    def __init__(self, number: int, feeds: Sequence[Feed], dice: Random) -> None:
        self.checker = Checker(f"client {number}", conflates=True)
        self._feeds, self._dice = feeds, dice
        self._feed = feeds[0]
        self._client: Client | None = None
        self._outbox = Outbox(None, [], lambda: None)
        self._id = 0

    def come(self) -> None:
        """Connect to a random feed and resume."""
        self._feed = self._dice.choice(self._feeds)
        self._outbox = Outbox(None, [], lambda: None)
        self._client = self._feed.join(self._outbox, max_symbols=100)
        self.checker.opened()
        self.checker.received({"op": "welcome", "protocol": 1})
        wanted = [s for s in SYMBOLS if self._dice.random() < 0.7] or SYMBOLS[:1]
        self.subscribe(wanted)

    def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """Subscribe to *symbols*, where possible from the cursor."""
        self._id += 1
        rate = self._dice.choice([None, None, None, 5.0])
        resume = self.checker.resume(symbols)
        command = {"op": "subscribe", "id": self._id, "symbols": list(symbols), "resume": resume}
        self.checker.sent(command if rate is None else {**command, "max_rate": rate})
        positions = {Symbol(s): Position(p["epoch"], p["seq"]) for s, p in resume.items()}
        assert self._client is not None
        self._feed.obey(self._client, Subscribe(self._id, tuple(symbols), max_rate=rate, resume=positions))

    def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """Unsubscribe from *symbols*."""
        self._id += 1
        self.checker.sent({"op": "unsubscribe", "id": self._id, "symbols": list(symbols)})
        assert self._client is not None
        self._feed.obey(self._client, Unsubscribe(self._id, tuple(symbols)))

    def leave(self) -> None:
        """Disconnect; what was not read is not known."""
        assert self._client is not None
        self._feed.leave(self._client)
        self._client = None
        self.checker.closed()

    def read(self) -> None:
        """Take what was said, through the native wire."""
        for payload in encode(self._outbox.take(), CLOCK.wall_us()):
            self.checker.received(payload)

    def act(self) -> None:
        """Do something that clients do."""
        if self._client is None:
            self.come()
            return
        self.read()
        match self._dice.randrange(12):
            case 0:
                self.leave()
            case 1:
                self.subscribe(self._dice.sample(SYMBOLS, 2))
            case 2:
                self.unsubscribe(self._dice.sample(SYMBOLS, 2))
            case 3:
                self._feed.slow(self._client)
            case 4:
                self._outbox.blocked = True
            case _:
                self._outbox.blocked = False
                self._feed.drained(self._client)

    def stay(self) -> None:
        """Wander no more: be connected, and follow everything."""
        if self._client is None:
            self.come()
        self._outbox.blocked = False
        self.subscribe(SYMBOLS)

    def settle(self) -> None:
        """Read everything."""
        self._feed.drained(self._client)  # type: ignore[arg-type]
        self.read()


@pytest.mark.parametrize("history", [True, False], ids=["history", "no-history"])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
async def test_every_tick_is_accounted_for(
    seed: int,
    history: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
) -> None:
    """Whatever the broker does, each client can account for every tick and reaches the last position."""
    dice = Random(seed)
    broker = MemoryBroker(clock=CLOCK, faults=Faults.rough(seed))
    memory: History = UnkindHistory(broker) if history else AbsentHistory()
    feeds = [
        Feed(
            broker.source(name),
            memory,
            clock=CLOCK,
            deliver=lambda _messages, _received, _began: 0.0,
            idle_grace=0.3,
        )
        for name in ("one", "two")
    ]
    stop, ears = asyncio.Event(), Ears(broker.sink("producer"))
    settings = ProducerSettings.model_validate(
        {"rate": 1500, "seed": seed, "ops_port": 0, "symbols": _symbols(tmp_path), "drain_s": 10}
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(feed.run()) for feed in feeds]
        await eventually(lambda: all(feed.stats().connected for feed in feeds), deadline=20)
        making = tasks.create_task(
            producer.run(settings, ears, clock=CLOCK, registry=CollectorRegistry(), stop=stop)
        )
        await eventually(lambda: all(len(feed.directory) for feed in feeds), deadline=20)
        clients = [Wanderer(number, feeds, dice) for number in range(12)]
        await _wander(clients, dice, seconds=3.0)
        for client in clients:
            client.stay()
        stop.set()
        await making
        beating = tasks.create_task(_beat(broker, ears.last))

        def settled() -> bool:
            for client in clients:
                client.settle()
            return all(c.checker.settled(ears.last) and not c.checker.unanswered for c in clients)

        try:
            await eventually(settled, deadline=20)
        except AssertionError:
            for client in clients:
                client.checker.finish(ears.last)
            raise
        for client in clients:
            client.checker.finish(ears.last)
        for task in (*running, beating):
            task.cancel()
    assert sum(client.checker.ticks for client in clients) > 1000


async def _beat(broker: MemoryBroker, last: dict[str, tuple[int, int]]) -> None:
    """The market is quiet, the producer lives: heartbeats with all marks go on."""
    sink, epoch = broker.sink("heart"), max(epoch for epoch, _ in last.values())
    marks = {Symbol(symbol): seq for symbol, (_, seq) in last.items()}
    async with running_sink(sink):
        while True:
            beat = Heartbeat("main", epoch, CLOCK.wall_us(), epoch, marks, full=True)
            with contextlib.suppress(BrokerUnavailable):
                sink.publish([control(beat)])
            await asyncio.sleep(0.5)


async def _wander(clients: Sequence[Wanderer], dice: Random, *, seconds: float) -> None:
    """Let clients act at random for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        dice.choice(clients).act()
        await asyncio.sleep(0.002)


def _symbols(folder: Path) -> Path:
    path = folder / "symbols.csv"
    rows = [f"{symbol},{symbol} Inc.,100.00,0.3,1.0,{10 - n}" for n, symbol in enumerate(SYMBOLS)]
    path.write_text("\n".join(["symbol,name,price,volatility,beta,weight", *rows]) + "\n")
    return path
