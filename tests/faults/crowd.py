"""Many lean clients that resume by themselves, over gateways that come and go.

100 symbols that trade alike.  Each client follows a few, so that the deliveries, not the checkers, are the load.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.checker import Checker
from tests.eventually import eventually
from tests.roamer import Roamer
from tests.stack import Stack, Tickwire
from tests.witness import LastMarks

SYMBOLS: Final = [f"C{n:02}" for n in range(100)]
SEED: Final = 11
SETTLE_S: Final = 8.0
BEGIN_S: Final = 60.0
AT_ONCE: Final = 50
"""Clients that begin together: the storm of a start is another test's business."""


class Crowd:
    """Producers, gateways, history processes, and *clients* roamers with *each* symbols.

    *only*: all of them at this gateway.  *hot*: one more symbol, which ticks as often as all others together.
    """

    def __init__(
        self,
        stack: Stack,
        folder: Path,
        *,
        clients: int,
        each: int,
        rate: int,
        gateways: Sequence[Mapping[str, object]] = ({}, {}),
        histories: Sequence[Mapping[str, object]] = (),
        producers: Sequence[Mapping[str, object]] = ({},),
        conflates: bool = False,
        only: int | None = None,
        hot: str | None = None,
    ) -> None:
        self.stack, self._folder, self._rate, self._only, self._hot = stack, folder, rate, only, hot
        self.gateways: list[Tickwire] = []
        self.histories: list[Tickwire] = []
        self.producers: list[Tickwire] = []
        self._given = (list(gateways), list(histories), list(producers))
        self.clients = [
            Roamer(
                Checker(f"client {n}", sample=50, conflates=conflates),
                [SYMBOLS[(n * 37 + k * 13) % len(SYMBOLS)] for k in range(each)],
                self.streams,
                n,
            )
            for n in range(clients)
        ]

    async def __aenter__(self) -> Self:
        """Start all, and return once each client has all its symbols."""
        self._write_symbols()
        await self._start()
        for first in range(0, len(self.clients), AT_ONCE):
            batch = self.clients[first : first + AT_ONCE]
            for client in batch:
                client.begin()
            await self.stand(batch)
        return self

    async def _start(self) -> None:
        """Start the processes, and return once they are ready."""
        gateways, histories, producers = self._given
        for given in producers:
            await self.add_producer(**given)
        self.histories += [await self.stack.start("history", given) for given in histories]
        self.gateways += [await self.stack.gateway(**given) for given in gateways]
        for process in (*self.histories, *self.gateways):
            await process.ready()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the clients go; the stack ends the processes."""
        await asyncio.gather(*(client.end() for client in self.clients))

    async def add_producer(self, **given: object) -> Tickwire:
        """Start one more producer of the same symbols."""
        settings = {"RATE": self._rate, "SEED": SEED, "SYMBOLS": self._folder / "symbols.csv", **given}
        self.producers.append(await self.stack.producer(**settings))
        return self.producers[-1]

    async def leader(self) -> Tickwire:
        """The producer that publishes, once there is one."""
        deadline = asyncio.get_running_loop().time() + BEGIN_S
        while True:
            for producer in self.producers:
                if producer.alive and await producer.metric("tickwire_producer_leading"):
                    return producer
            assert asyncio.get_running_loop().time() < deadline, "nobody leads"
            await asyncio.sleep(0.05)

    def streams(self, number: int) -> list[str]:
        """Where client *number* may connect: its own gateway first."""
        alive = [gateway.stream for gateway in self.gateways if gateway.alive]
        number = number if self._only is None else self._only
        start = number % len(alive)
        return [*alive[start:], *alive[:start]]

    def on(self, gateway: Tickwire) -> list[Roamer]:
        """The clients that are connected to *gateway*."""
        return [client for client in self.clients if client.address == gateway.stream]

    async def rebalance(self) -> None:
        """Let half of the clients move to the newest gateway, as new clients would, and wait for them."""
        newest = self.gateways[-1].stream
        movers = [c for c in self.clients if self.streams(c.number)[0] == newest and c.address != newest]
        for client in movers:
            client.expect()
            client.move()
        await self.recovered(movers)

    async def stand(self, clients: Iterable[Roamer] | None = None, *, deadline: float = BEGIN_S) -> None:
        """Return once each client has all its symbols subscribed."""
        waiting = list(self.clients if clients is None else clients)
        await eventually(lambda: all(client.standing for client in waiting), deadline=deadline)

    async def recovered(self, clients: Sequence[Roamer], *, deadline: float = BEGIN_S) -> list[float]:
        """Return how long each of *clients* took since `expect`, once all are up to date."""
        await eventually(lambda: not any(client.recovering for client in clients), deadline=deadline)
        return [client.recovered_s[-1] for client in clients]

    async def settle(self) -> Counter[str]:
        """Stop the producers; each client must have reached its last positions in time, with a clean checker.

        Returns what was told instead of ticks: gaps by reason, `conflated`, and `snapshots` beyond the first.
        """
        leader = await self.leader()
        async with LastMarks(self.stack.broker_url) as witness:
            for producer in [p for p in self.producers if p.alive and p is not leader]:
                await producer.stop()  # first those that would take over
            await leader.stop()
            last = await witness.read()
        checkers = [client.checker for client in self.clients]
        try:
            await eventually(lambda: all(checker.settled(last) for checker in checkers), deadline=SETTLE_S)
        finally:
            for checker in checkers:
                checker.finish(last)
        return self.told()

    def needed(self) -> Counter[str]:
        """How many gateways have a client of each symbol."""
        return Counter(
            symbol
            for gateway in self.gateways
            for symbol in {symbol for client in self.on(gateway) for symbol in client.symbols}
        )

    def told(self) -> Counter[str]:
        """What was told instead of ticks."""
        told: Counter[str] = Counter()
        for client in self.clients:
            for symbol in client.symbols:
                account = client.checker.account(symbol)
                told += account.missing + account.open
                told += Counter(conflated=account.conflated, snapshots=account.snapshots - 1)
        return told

    @property
    def delivered(self) -> int:
        """Ticks that the clients got."""
        return sum(client.checker.ticks for client in self.clients)

    def _write_symbols(self) -> None:
        rows = [f"{symbol},{symbol} Inc.,100.00,0.3,1.0,10" for symbol in SYMBOLS]
        if self._hot is not None:
            rows.append(f"{self._hot},{self._hot} Inc.,100.00,0.3,1.0,{10 * len(rows)}")
        lines = ["symbol,name,price,volatility,beta,weight", *rows]
        (self._folder / "symbols.csv").write_text("\n".join(lines) + "\n")


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which *share* of *values* lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
