"""A whole market under load: producer, gateways, perhaps history, and clients each with a checker.

Two of the clients are the Python client (`tests.faults.pythonclient`), one per gateway at first; see `pythons`.

    async with Market(stack, folder) as market:
        …inject a fault…
        await market.flowing()
        outcome = await market.settle()

20 symbols that trade alike, and those of *more* with their weights; each client follows ten of the 20.
TICKWIRE_FAULT_RATE (ticks per second) and TICKWIRE_FAULT_CLIENTS make it more.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple, Self

import orjson

from tests.brokers import Broker
from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.pythonclient import PythonClient
from tests.queues import consumers, followed
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import LastMarks

RATE: Final = int(os.environ.get("TICKWIRE_FAULT_RATE", "500"))
CLIENTS: Final = int(os.environ.get("TICKWIRE_FAULT_CLIENTS", "24"))
SYMBOLS: Final = [f"S{n:02}" for n in range(20)]
EACH: Final = 10
WEIGHT: Final = 10.0
"""Of each symbol; the rate is shared by weight."""
SEED: Final = 5
SAMPLE: Final = 20
"""The content of every 20th tick of a client is checked; positions of all."""
SETTLE_S: Final = 8.0
"""The promise: each cursor reaches the producer's last position within 8 s of its last tick."""
BEGIN_S: Final = 30.0
STALE_S: Final = 3.0
"""After so long without a heartbeat the feed is flagged stale."""
NOTICE_S: Final = STALE_S + 1.5
"""Until every client was told, with a loaded machine's delay."""
MEMORY_SHARE: Final = 0.10
MEMORY_FLOOR: Final = 8 * 1024**2
"""What a process may grow beside that share: an allocator's habits, 3 to 6 MB were seen without any fault."""

Settings = Mapping[str, object]


def told_of(queues: str) -> str:
    """Return what a fault's name ends in where gateways divide symbols among *queues*."""
    return "" if queues == "symbol" else f", {queues}"


class Subscriber:
    """One client: its connection, what it follows, and when it was told what of the feed."""

    def __init__(self, stack: Stack, number: int, gateway: Tickwire, checker: Checker, each: int) -> None:
        self.gateway = gateway
        self.symbols = _symbols(number, each)
        self.checker = checker
        self.stream = StreamClient(stack.http, checker, seen=self._seen)
        self.told: list[tuple[float, str]] = []
        """Monotonic time and `feed` of each `status`."""
        self.ends: list[int | None] = []
        """The close code of each connection before this one."""

    def ticks(self) -> dict[str, int]:
        """Return how many ticks came, by symbol."""
        return {symbol: self.checker.account(symbol).delivered for symbol in self.symbols}

    def _seen(self, raw: bytes) -> None:
        if raw.startswith(b'{"op":"status"'):
            self.told.append((time.monotonic(), orjson.loads(raw)["feed"]))


Client = Subscriber | PythonClient


class Outcome(NamedTuple):
    """What became of all ticks of all clients."""

    delivered: int
    missing: Counter[str]
    """Ticks in gaps with an end, by reason."""
    open: Counter[str]
    """Gaps whose end nobody could name, by reason."""
    conflated: int


class Market:
    """Producers, gateways, clients spread over them; each list has the settings of one process per entry."""

    def __init__(
        self,
        stack: Stack,
        folder: Path,
        *,
        producers: Sequence[Settings] = ({},),
        gateways: Sequence[Settings] = ({}, {}),
        histories: Sequence[Settings] = ({}, {}),
        clients: int = CLIENTS,
        each: int = EACH,
        rate: int = RATE,
        conflates: bool = False,
        clock_is_set: bool = False,
        pythons: int = 2,
        more: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.stack = stack
        self.producers: list[Tickwire] = []
        self.gateways: list[Tickwire] = []
        self.histories: list[Tickwire] = []
        self.clients: list[Subscriber] = []
        self.pythons: list[PythonClient] = []
        self._settings = {"producer": producers, "history": histories, "gateway": gateways}
        self._folder, self._count, self._each, self._rate = folder, clients, each, rate
        self._conflates, self._clock_is_set = conflates, clock_is_set
        self._pythons = pythons
        self.weights = {**dict.fromkeys(SYMBOLS, WEIGHT), **more}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start all, and return once each client has ticks of each of its symbols."""
        self._write_symbols()
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the clients; the stack ends the processes."""
        await self._open.aclose()

    # ------------------------------------------------------------------------------------------------ its parts

    @property
    def producer(self) -> Tickwire:
        """The first producer."""
        return self.producers[0]

    @property
    def processes(self) -> list[Tickwire]:
        """All of them."""
        return [*self.producers, *self.histories, *self.gateways]

    def of(self, gateway: Tickwire) -> list[Subscriber]:
        """Return the clients of *gateway*."""
        return [client for client in self.clients if client.gateway is gateway]

    @property
    def everybody(self) -> list[Client]:
        """All clients of either kind."""
        return [*self.clients, *self.pythons]

    @property
    def closed(self) -> int:
        """How many clients' connections have ended."""
        return sum(not client.stream.connected for client in self.clients)

    def memory(self) -> dict[int, int]:
        """Return the resident bytes of each process, by pid."""
        return {process.pid: process.memory()["Rss"] for process in self.processes}

    async def start(self, kind: str, settings: Settings) -> Tickwire:
        """Start one more process."""
        common = {"RATE": self._rate, "SEED": SEED, "SYMBOLS": self._folder / "symbols.csv"}
        given = {**common, **settings} if kind == "producer" else settings
        process = await self.stack.start(kind, given)
        {"producer": self.producers, "history": self.histories, "gateway": self.gateways}[kind].append(process)
        return process

    async def join(self, gateway: Tickwire, count: int) -> list[Subscriber]:
        """Let *count* clients come to *gateway*; they may not have ticks yet."""
        first = len(self.clients)
        new = [self._subscriber(first + n, gateway) for n in range(count)]
        for client in new:
            await self._open.enter_async_context(client.stream)
            await client.stream.connect(gateway.stream)
            assert await client.stream.subscribe(*client.symbols) == {}
        self.clients += new
        return new

    async def join_python(self, number: int) -> PythonClient:
        """Let one more Python client come, first to gateway *number*; it may not have ticks yet."""
        addresses = [gateway.stream for gateway in self.gateways]
        start = number % len(addresses)
        streams = [*addresses[start:], *addresses[:start]]
        client = PythonClient(
            f"python {number}", streams, _symbols(number, self._each), self._checker(f"python {number}")
        )
        self.pythons.append(await self._open.enter_async_context(client))
        client.begin()
        return client

    async def move(self, client: Subscriber, gateway: Tickwire) -> None:
        """Let *client*, whose connection has ended, resume at *gateway*."""
        client.ends.append(client.stream.close_code)
        client.gateway = gateway
        assert await client.stream.resume(gateway.stream, client.symbols) == {}

    # -------------------------------------------------------------------------------------------- what they see

    async def flowing(self, clients: Iterable[Client] | None = None, *, deadline: float = BEGIN_S) -> float:
        """Return the seconds until each of *clients* (all) has one more tick of each of its symbols."""
        waiting = {client: client.ticks() for client in (self.everybody if clients is None else clients)}
        began = time.monotonic()

        def all_flow() -> bool:
            for client, before in list(waiting.items()):
                now = client.ticks()
                if all(now[symbol] > count for symbol, count in before.items()):
                    del waiting[client]
            return not waiting

        await eventually(all_flow, deadline=deadline)
        return time.monotonic() - began

    async def told(
        self, feed: str, since: float, clients: Iterable[Client] | None = None, *, deadline: float = BEGIN_S
    ) -> float:
        """Return the seconds from *since* until the last of *clients* (all) was told that the feed is *feed*."""
        wanted = list(self.everybody if clients is None else clients)

        def first(client: Client) -> float | None:
            return next((at for at, what in client.told if at >= since and what == feed), None)

        await eventually(lambda: all(first(client) is not None for client in wanted), deadline=deadline)
        return max(at for client in wanted if (at := first(client)) is not None) - since

    async def bound_once(self, broker: Broker, *, deadline: float = BEGIN_S) -> None:
        """Return once each gateway has exactly one queue per symbol that its clients follow, with one consumer."""
        wanted: Counter[str] = Counter()
        for gateway in self.gateways:
            pythons = [client for client in self.pythons if client.address == gateway.stream]
            here: list[Client] = [*self.of(gateway), *pythons]
            wanted.update({symbol for client in here for symbol in client.symbols})
        end = time.monotonic() + deadline
        while True:
            found = await asyncio.to_thread(followed, broker)
            by_number = await asyncio.to_thread(consumers, broker)
            if found == wanted and by_number.keys() == {1}:
                return
            assert time.monotonic() < end, f"bound {found}, wanted {wanted}; queues by consumers {by_number}"

    async def steady(self, before: Mapping[int, int], *, deadline: float = 20.0) -> float:
        """Return the largest growth of a process in MB, once each is within 10 % and 8 MB of *before*."""

        def over() -> list[int]:
            now = self.memory()
            return [pid for pid, size in before.items() if now[pid] > size * (1 + MEMORY_SHARE) + MEMORY_FLOOR]

        await eventually(lambda: not over(), deadline=deadline)
        now = self.memory()
        return max(now[pid] - size for pid, size in before.items()) / 1024**2

    # ----------------------------------------------------------------------------------------------- its end

    async def settle(self, broker_url: str | None = None, *, unavailable: bool = False) -> Outcome:
        """Stop the producers; every client must reach their last positions in time, with a clean checker.

        With history, a gap `unavailable` fails the test, except where it says that they are *unavailable*.
        """
        last: dict[str, tuple[int, int]] = {}
        async with LastMarks(broker_url or self.stack.broker_url) as witness:
            for producer in self.producers:
                if producer.alive:
                    await producer.stop()
            last = await witness.read()
        assert last.keys() == self.weights.keys()
        judges: list[Checker | PythonClient] = [*(client.checker for client in self.clients), *self.pythons]
        try:
            await eventually(lambda: all(judge.settled(last) for judge in judges), deadline=SETTLE_S)
        finally:
            for client in self.everybody:
                client.checker.finish(last)
        for python in self.pythons:
            await python.drained()
            python.agree(self.gateways)
        assert self.closed == 0, [client.stream.close_code for client in self.clients]
        outcome = self.outcome()
        if self.histories and not unavailable:
            assert not outcome.missing["unavailable"] + outcome.open["unavailable"], outcome
        return outcome

    def outcome(self, clients: Iterable[Client] | None = None) -> Outcome:
        """Return what became of the ticks of *clients* (all)."""
        missing, opened, delivered, conflated = Counter[str](), Counter[str](), 0, 0
        for client in self.everybody if clients is None else clients:
            for symbol in client.symbols:
                account = client.checker.account(symbol)
                missing += account.missing
                opened += account.open
                delivered += account.delivered
                conflated += account.conflated
        return Outcome(delivered, missing, opened, conflated)

    # ------------------------------------------------------------------------------------------------ inside

    async def _begin(self) -> None:
        for kind in ("producer", "history", "gateway"):
            for settings in self._settings[kind]:
                await self.start(kind, settings)
        for process in (*self.histories, *self.gateways):
            await process.ready()
        share, rest = divmod(self._count, len(self.gateways))
        for n, gateway in enumerate(self.gateways):
            await self.join(gateway, share + (n < rest))
        for number in range(self._pythons):
            await self.join_python(number)
        await self.flowing()

    def _subscriber(self, number: int, gateway: Tickwire) -> Subscriber:
        return Subscriber(self.stack, number, gateway, self._checker(f"client {number}"), self._each)

    def _checker(self, name: str) -> Checker:
        return Checker(name, conflates=self._conflates, clock_is_set=self._clock_is_set, sample=SAMPLE)

    def _write_symbols(self) -> None:
        rows = [f"{symbol},{symbol} Inc.,100.00,0.3,1.0,{weight}" for symbol, weight in self.weights.items()]
        lines = ["symbol,name,price,volatility,beta,weight", *rows]
        (self._folder / "symbols.csv").write_text("\n".join(lines) + "\n")


def _symbols(number: int, each: int) -> list[str]:
    """What client *number* follows."""
    return [SYMBOLS[(number * 7 + k) % len(SYMBOLS)] for k in range(each)]
