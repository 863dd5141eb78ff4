"""A hundred honest clients of one gateway, and what an attack beside them costs them.

    async with Honest(stack, folder) as honest:
        raid = await honest.under("F15", figures, "storm", clients=2_000)

The attackers are processes of their own, so that their work is not done on the loop that reads the honest clients'
ticks.  The age of every frame's last tick is taken when a client has read it: in a window before the attack, and
while it lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson

from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.figures import Figures
from tests.loadclient import LoadClient
from tests.stack import Stack, Tickwire
from tests.witness import LastMarks

CLIENTS: Final = 100
RATE: Final = 200
SYMBOLS: Final = [f"H{n:02}" for n in range(20)]
QUIET: Final = [f"Q{n:03}" for n in range(200)]
"""Symbols that trade a hundredth as often, and that no honest client follows."""
EACH: Final = 5
"""Symbols of each client: 5,000 ticks a second reach all of them together."""
BEFORE_S: Final = 1.0
PROBE_S: Final = 0.02
FLOOR_MS: Final = 5.0
"""A p99 below it counts as it: three times less is the noise of two busy cores."""
TIMES: Final = 3.0
"""What an attack may make of the honest clients' p99."""
TRIES: Final = 3
BEGIN_S: Final = 30.0
LONGEST_S: Final = 90.0
"""Longest attack."""
SETTLE_S: Final = 8.0
SEED: Final = 13
NICE: Final = -10


@dataclass(frozen=True, slots=True)
class Raid:
    """What an attack tried, what became of it, and what the honest clients had of it."""

    inputs: int
    connections: int
    outcomes: Counter[str]
    """How its connections ended, or what was answered to each input: as its kind says."""
    answers: Counter[str]
    """What was answered beside that."""
    seconds: float
    before_ms: float
    during_ms: float
    lag_ms: float
    """99th percentile of what `/livez` took meanwhile: it is answered by the loop that serves the clients."""
    grown: int
    """Bytes that the gateway is larger after it."""
    files: int
    """Files that the gateway has open after it and had not before."""

    @property
    def allowed_ms(self) -> float:
        """What the honest clients' p99 may be during it."""
        return TIMES * max(self.before_ms, FLOOR_MS)


class Honest:
    """One producer, *gateways* (settings of each), and *clients* that are spread over them.

    *token*: what client number so much shows, where the gateways want to see something.
    """

    def __init__(
        self,
        stack: Stack,
        folder: Path,
        *,
        gateways: Sequence[Mapping[str, object]] = ({},),
        clients: int = CLIENTS,
        token: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        self.stack, self._folder, self._given, self._count = stack, folder, gateways, clients
        self._token = token
        self.clients: list[LoadClient] = []
        self.gateways: list[Tickwire] = []
        self.producer: Tickwire
        self._ages: list[float] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start all, and return once each client has a tick of each of its symbols."""
        self._write_symbols()
        listed = self._folder / "symbols.csv"
        self.producer = await self.stack.producer(RATE=RATE, SEED=SEED, SYMBOLS=listed)
        for given in self._given:
            self.gateways.append(await self.stack.gateway(**given))
        for gateway in self.gateways:
            await gateway.ready()
        _prefer(os.getpid(), *(process.pid for process in (self.producer, *self.gateways)))
        try:
            await asyncio.gather(*(self._come(number) for number in range(self._count)))
            await self.flowing()
            await self.p99_ms(BEFORE_S)  # what the beginning itself delayed
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the clients go; the stack ends the processes."""
        await self._open.aclose()
        _prefer(os.getpid(), nice=0)

    @property
    def gateway(self) -> Tickwire:
        """The first one, which is attacked."""
        return self.gateways[0]

    @property
    def held(self) -> int:
        """How many clients are connected."""
        return sum(client.connected for client in self.clients)

    async def flowing(self) -> None:
        """Return once each client has one more tick of each of its symbols."""
        before = [
            (client.checker, symbol, client.checker.account(symbol).delivered)
            for client in self.clients
            for symbol in sorted(client.checker.subscribed)
        ]
        await eventually(
            lambda: all(checker.account(symbol).delivered > count for checker, symbol, count in before),
            deadline=BEGIN_S,
        )

    async def p99_ms(self, seconds: float) -> float:
        """Return the 99th percentile of the ages of what comes in *seconds*, in ms."""
        self._ages.clear()
        await asyncio.sleep(seconds)  # the window
        return self._p99_ms()

    async def under(self, fault: str, figures: Figures, kind: str, **options: object) -> Raid:
        """Let `tests.faults.attacker` do *kind* with *options* to the gateway; note it as *fault*, and return it.

        Fails where the honest clients were worse off than is allowed, at each of three tries: whatever else this
        machine does can make their p99 larger, but not smaller.
        """
        for _ in range(TRIES):
            raid = await self._raid(kind, options)
            self.unharmed()
            if raid.during_ms <= raid.allowed_ms:
                break
        figures.told(fault, "inputs tried", raid.inputs)
        figures.told(fault, "connections made", raid.connections)
        for outcome, number in (raid.outcomes + raid.answers).most_common():
            figures.told(fault, f"of them {outcome}", number)
        figures.told(fault, "honest clients held", self.held)
        figures.told(fault, "their p99 before", raid.before_ms, "ms")
        figures.within(fault, "their p99 during it", raid.during_ms, raid.allowed_ms, "ms")
        return raid

    async def _raid(self, kind: str, options: Mapping[str, object]) -> Raid:
        before = await self.p99_ms(BEFORE_S)
        assert await self.gateway.probe("/livez") == (200, "alive")  # over a connection that stays, and is counted
        memory, files = self.gateway.memory()["Rss"], files_of(self.gateway)
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = (sys.executable, "-m", "tests.faults.attacker", kind, str(self.gateway.port), *words)
        attacker = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        assert attacker.stdout is not None
        lags: list[float] = []
        try:
            async with asyncio.timeout(LONGEST_S):
                assert await attacker.stdout.readline() == b"go\n"
                self._ages.clear()
                over = asyncio.Event()
                probing = asyncio.create_task(self._probe(lags, over), name="probe")
                told = orjson.loads(await attacker.stdout.read())
                over.set()
                await probing
        finally:
            if attacker.returncode is None:
                attacker.kill()
            await attacker.wait()
        return Raid(
            inputs=told["inputs"],
            connections=told["connections"],
            outcomes=Counter(told["outcomes"]),
            answers=Counter(told["answers"]),
            seconds=told["seconds"],
            before_ms=before,
            during_ms=self._p99_ms(),
            lag_ms=sorted(lags)[int(0.99 * (len(lags) - 1))] * 1e3,
            grown=self.gateway.memory()["Rss"] - memory,
            files=await self._left(files),
        )

    def unharmed(self) -> None:
        """Fail unless every honest client is connected and has had every tick."""
        assert self.held == len(self.clients), [client.close_code for client in self.clients]
        for client in self.clients:
            client.checker.check()
            for symbol in client.checker.subscribed:
                account = client.checker.account(symbol)
                assert (account.missing, account.open, account.conflated) == ({}, {}, 0), client.checker.name

    async def settle(self) -> None:
        """Stop the producer; every client must reach its last positions in time, with a clean checker."""
        async with LastMarks(self.stack.broker_url) as witness:
            await self.producer.stop()
            last = await witness.read()
        checkers = [client.checker for client in self.clients]
        try:
            await eventually(lambda: all(checker.settled(last) for checker in checkers), deadline=SETTLE_S)
        finally:
            for checker in checkers:
                checker.finish(last)
        self.unharmed()

    # ------------------------------------------------------------------------------------------------ inside

    async def _come(self, number: int) -> None:
        client = LoadClient(Checker(f"honest {number}", sample=50), seen=self._seen)
        await self._open.enter_async_context(client)
        gateway = self.gateways[number % len(self.gateways)]
        await client.connect(gateway.stream, token=self._token(number))
        self.clients.append(client)
        await client.subscribe(*(SYMBOLS[(number * 7 + k) % len(SYMBOLS)] for k in range(EACH)))
        assert client.rejected == {}

    def _seen(self, raw: bytes) -> None:
        if raw.startswith(b'{"op":"ticks"'):
            at = raw.rindex(b'"ts":') + 5
            self._ages.append(time.time() - int(raw[at : raw.index(b",", at)]) / 1e6)

    def _p99_ms(self) -> float:
        ages = sorted(self._ages)
        return ages[int(0.99 * (len(ages) - 1))] * 1e3

    async def _probe(self, lags: list[float], over: asyncio.Event) -> None:
        while not over.is_set():
            began = time.monotonic()
            assert await self.gateway.probe("/livez") == (200, "alive")
            lags.append(time.monotonic() - began)
            await asyncio.sleep(PROBE_S)

    async def _left(self, before: int) -> int:
        """How many files more than *before* the gateway has, once those are closed that will be."""
        with contextlib.suppress(AssertionError):
            await eventually(lambda: files_of(self.gateway) <= before, deadline=SETTLE_S)
        return files_of(self.gateway) - before

    def _write_symbols(self) -> None:
        weights = {**dict.fromkeys(SYMBOLS, 10.0), **dict.fromkeys(QUIET, 0.1)}
        rows = [f"{symbol},{symbol} Inc.,100.00,0.3,1.0,{weight}" for symbol, weight in weights.items()]
        lines = ["symbol,name,price,volatility,beta,weight", *rows]
        (self._folder / "symbols.csv").write_text("\n".join(lines) + "\n")


def _prefer(*pids: int, nice: int = NICE) -> None:
    """Let these processes run before others, where we may: the machine's other work is not what is measured."""
    for pid in pids:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, pid, nice)


def files_of(process: Tickwire) -> int:
    """Return how many files *process* has open."""
    return sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())
