"""A canary in this process, against whatever gateway there is, and its figures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import aiohttp
from prometheus_client import CollectorRegistry

from services.market.symbol import parse_symbol
from services.runtime.clock import SystemClock
from tests.eventually import eventually
from tickwire.bearer import bearer
from tickwire.canary import app
from tickwire.canary.settings import CanarySettings
from tickwire.canary.verdict import Rule
from tickwire.watch import Target

DEADLINE_S: Final = 20.0
"""Seconds that anything may take here."""
RETRY_S: Final = 0.05
"""Seconds between two attempts after a refusal, where a canary waits 10."""


class Canary:
    """A canary in this process: its figures, and its operations port."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.port = 0

    def value(self, name: str, **labels: str) -> float | None:
        """Return a figure; None: there is no sample."""
        return self.registry.get_sample_value(f"tickwire_canary_{name}", labels)

    def figure(self, name: str, **labels: str) -> float:
        """Return a figure that is there."""
        found = self.value(name, **labels)
        assert found is not None
        return found

    @property
    def violations(self) -> dict[str, float]:
        """How often each rule was broken that was."""
        found = {rule.value: self.figure("violations_total", rule=rule.value) for rule in Rule}
        return {rule: count for rule, count in found.items() if count}

    async def until(self, predicate: Callable[[], object]) -> None:
        """Return as soon as *predicate* is true."""
        await eventually(predicate, deadline=DEADLINE_S)

    async def ask(self, path: str) -> tuple[int, str]:
        """Return status and text of a path of the operations port."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()


@contextlib.asynccontextmanager
async def canary(
    url: str, *symbols: str, ca: Path | None = None, token: Path | None = None, visit_s: float = 60.0
) -> AsyncIterator[Canary]:
    """Run a canary on a free port."""
    here, stop = Canary(), asyncio.Event()
    shown = await asyncio.to_thread(bearer, token, {})
    running = asyncio.create_task(
        app.run(
            CanarySettings(ops_port=0),
            Target(url, ca, shown),
            [parse_symbol(symbol) for symbol in symbols],
            clock=SystemClock(),
            registry=here.registry,
            stop=stop,
            started=lambda port: setattr(here, "port", port),
            retry_s=RETRY_S,
            visit_s=visit_s,
        )
    )
    try:
        await eventually(lambda: here.port or running.done(), deadline=DEADLINE_S)
        yield here
    finally:
        stop.set()
        await running
