"""The load that makes the figures move: clients that keep up, or do not, that come and go, that ask nonsense."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from tests.checker import Checker
from tests.monitoring.stage import QUIET, SYMBOLS, Stage
from tests.slowclient import SlowClient
from tests.stack import Tickwire
from tests.streamclient import StreamClient

CLIENTS: Final = 12
"""At each gateway."""
EACH: Final = 10
READ: Final = (4_096.0, 4_096.0, 2_048.0, 0.0)
"""Bytes a second that each slow client reads, of the 60,000 that come."""
STAY_S: Final = 1.0
VISITORS: Final = 2
NONSENSE: Final = ('{"op":"sing","id":1}', "no JSON", '{"op":"subscribe","id":2,"symbols":[]}')
FLOOD: Final = 300
"""Commands at once: TICKWIRE_COMMAND_BURST is 100."""
WRONG_KEY: Final = "twk_" + "A" * 43


class Load:
    """Clients of both gateways of *stage*, from the entrance of the block to its end."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._http = stage, stage.stack.http
        self._open = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.checkers: list[Checker] = []

    async def __aenter__(self) -> Self:
        """Let them come."""
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let them go; those that kept up must have had no unexplained hole."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._open.aclose()
        if error is None:
            for end in ended:
                assert isinstance(end, asyncio.CancelledError), repr(end)
            for checker in self.checkers:
                checker.check()

    async def _begin(self) -> None:
        stage = self._stage
        for number in range(CLIENTS):
            await self._steady(stage.anybodys, number)
            await self._steady(stage.guarded, number)
        works = [self._strangers(), self._askers(), *(self._visitors() for _ in range(VISITORS))]
        works += [self._slow(rate) for rate in READ]
        self._tasks = [asyncio.create_task(work) for work in works]

    def _entrance(self, gateway: Tickwire) -> tuple[str, dict[str, Any]]:
        """Return the address of *gateway*, and what a client needs there."""
        stage = self._stage
        if gateway is stage.anybodys:
            return gateway.stream, {}
        return stage.secure, {"ssl": stage.trusting, "headers": {"Authorization": f"Bearer {stage.key}"}}

    async def _steady(self, gateway: Tickwire, number: int) -> None:
        """One that stays; every third one wants two ticks a second at most."""
        rate = 2.0 if number % 3 == 0 else None
        client = StreamClient(self._http, self._checker(f"steady {number}", conflates=rate is not None))
        await self._open.enter_async_context(client)
        url, options = self._entrance(gateway)
        await client.connect(url, **options)
        symbols = [SYMBOLS[(number + k) % len(SYMBOLS)] for k in range(EACH)]
        await client.subscribe(*symbols, **({} if rate is None else {"max_rate": rate}))

    async def _slow(self, rate: float) -> None:
        """One that reads *rate* bytes a second, and comes again where it was torn down."""
        while True:
            checker = Checker(f"{rate:g} B/s", conflates=True, sample=20)
            async with SlowClient(checker, rate) as client:
                await client.follow(self._stage.anybodys.stream, *SYMBOLS)
                await client.ended.wait()

    async def _visitors(self) -> None:
        """Come, follow, resume, unsubscribe and leave, again and again."""
        dice = random.Random(3)
        for number in count():
            gateway = dice.choice([self._stage.anybodys, self._stage.guarded])
            url, options = self._entrance(gateway)
            async with StreamClient(self._http, Checker(f"visitor {number}")) as client:
                await client.connect(url, **options)
                await client.subscribe(*dice.sample(SYMBOLS, 2), dice.choice(QUIET))
                await asyncio.sleep(dice.uniform(0.2, STAY_S))  # the length of its visit
                await client.list()
                position = client.checker.resume(sorted(client.checker.subscribed))
                await client.unsubscribe(*position)
                await client.subscribe(*position, resume=position)

    async def _strangers(self) -> None:
        """Knock with a wrong key, speak no HTTP, and open a connection without a word."""
        stage = self._stage
        while True:
            with suppress(aiohttp.ClientError):
                headers = {"Authorization": f"Bearer {WRONG_KEY}"}
                async with self._http.ws_connect(stage.secure, ssl=stage.trusting, headers=headers):
                    pass
            for port in (stage.anybodys.port, stage.guarded.port):
                await _mumble(port)

    async def _askers(self) -> None:
        """Ask for what is not there and say what means nothing; then too much, until thrown out."""
        while True:
            async with StreamClient(self._http) as client:
                await client.connect(self._stage.anybodys.stream)
                await client.subscribe("NOBODY", SYMBOLS[0])
                for text in NONSENSE:
                    await client.blurt(text)
                    await asyncio.sleep(STAY_S)  # below every limit
                for identity in range(FLOOD):
                    await client.blurt(f'{{"op":"ping","id":{identity + 1_000}}}')
                await client.gone()

    def _checker(self, name: str, *, conflates: bool) -> Checker:
        checker = Checker(name, conflates=conflates, sample=20)
        self.checkers.append(checker)
        return checker


async def _mumble(port: int) -> None:
    """Say what is no HTTP, and leave."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"\x00 no HTTP at all\r\n\r\n")
        await asyncio.sleep(STAY_S)  # as often as a scanner
    finally:
        writer.transport.abort()
