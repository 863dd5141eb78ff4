"""A proxy in front of the gateways is reloaded, or dies, under its clients (F34)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pytest

from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.crowd import SETTLE_S, Crowd, quantile
from tests.faults.figures import Figures
from tests.faults.pythonclient import PythonClient
from tests.nginx import LINGER_S, Nginx
from tests.stack import Stack

CLIENTS: Final = 40
PYTHONS: Final = 2
EACH: Final = 4
RATE: Final = 300
RECOVERY_S: Final = 10.0
"""Longest recovery of a client, as after a killed gateway (F13)."""
SLOT_S: Final = 0.02
SHARE: Final = 0.6
"""Of all attempts, those in the busiest slot: with a random wait up to 0.1 s a fifth is expected."""

pytestmark = pytest.mark.timeout(300)


class Guests(Crowd):
    """A crowd that knows no gateway, only the proxy; and when each attempt to connect was made."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.proxy: Nginx
        self.attempts: list[float] = []
        super().__init__(*arguments, **options)

    async def _start(self) -> None:
        await super()._start()
        self.proxy = Nginx([gateway.port for gateway in self.gateways])
        await self.proxy.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the clients go, and end the proxy."""
        await super().__aexit__(kind, error, trace)
        await self.proxy.end()

    def streams(self, number: int) -> list[str]:
        """Where any client connects."""
        del number
        self.attempts.append(time.monotonic())
        return [self.proxy.stream]

    async def come_back(self, pythons: Sequence[PythonClient], connections: int) -> list[float]:
        """Return how long each client took until it was up to date, once all have had *connections*."""
        await eventually(lambda: all(len(python.addresses) >= connections for python in pythons), deadline=20)
        await eventually(
            lambda: all(len(client.closes) >= connections - 1 for client in self.clients), deadline=20
        )
        await self.stand()
        for client in self.clients:
            client.expect()
        return await self.recovered(self.clients)


async def test_proxy_reloaded_and_killed(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Clients behind a proxy that is reloaded, then killed, come back at random times and miss nothing (F34)."""
    fault = f"F34 proxy reloaded and killed, {CLIENTS} clients"
    async with AsyncExitStack() as context:
        crowd = await context.enter_async_context(
            Guests(stack, tmp_path, clients=CLIENTS, each=EACH, rate=RATE, histories=({},))
        )
        proxy = crowd.proxy
        pythons = [_python(n, crowd) for n in range(PYTHONS)]
        for python in pythons:
            await context.enter_async_context(python)
            python.begin()
        await eventually(lambda: all(min(python.ticks().values()) > 0 for python in pythons), deadline=20)

        crowd.attempts.clear()
        began = time.monotonic()
        await proxy.reload()
        await crowd.come_back(pythons, 2)
        figures.within(
            fault, "reload until everybody is up to date", time.monotonic() - began, LINGER_S + RECOVERY_S
        )
        _judge_spread(figures, fault, crowd.attempts)

        crowd.attempts.clear()
        began = time.monotonic()
        await proxy.kill()
        await proxy.start()
        await crowd.come_back(pythons, 3)
        figures.within(fault, "kill until everybody is up to date", time.monotonic() - began, RECOVERY_S)

        told = await crowd.settle()
        for python in pythons:
            await eventually(lambda p=python: _arrived(p, crowd), deadline=SETTLE_S)  # type: ignore[misc]
            await python.drained()
            python.agree([])
            python.checker.check()
    figures.told(fault, "ticks delivered", crowd.delivered)
    figures.within(fault, "lost, duplicated or unexplained", sum(told.values()), 0, "ticks")
    assert {code for client in crowd.clients for code in client.closes} <= {None, 1006}


def _python(number: int, crowd: Guests) -> PythonClient:
    """Return a Python client with the symbols of the crowd's client *number*."""
    name = f"python {number}"
    return PythonClient(name, [crowd.proxy.stream], crowd.clients[number].symbols, Checker(name, sample=50))


def _arrived(python: PythonClient, crowd: Guests) -> bool:
    """Whether *python* stands where the crowd's client of the same symbols stands."""
    twin = crowd.clients[int(python.name.split()[1])]
    return all(tuple(python.feed.cursor(s) or ()) == tuple(twin.checker.cursor(s) or ()) for s in python.symbols)


def _judge_spread(figures: Figures, fault: str, attempts: Sequence[float]) -> None:
    """The clients' first attempts after all of them were cut off at once are spread in time."""
    first = sorted(attempts)[:CLIENTS]
    busiest = max(sum(at <= other < at + SLOT_S for other in first) for at in first)
    figures.told(fault, "first attempts, first to last", first[-1] - first[0], "s")
    figures.told(fault, "their median after the first one", quantile(first, 0.5) - first[0], "s")
    figures.within(fault, f"in the busiest {SLOT_S * 1000:g} ms", busiest / len(first), SHARE, "of all")
