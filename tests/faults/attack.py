"""What an attacker is to do, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.faults.raider import Raider


@dataclass(slots=True)
class Attack:
    """What to do, and what came of it."""

    port: int
    source: str
    clients: int
    rate: int
    """Inputs per second, of each client or of all: as the kind says."""
    seconds: float
    symbols: list[str]
    token: str
    """A good one."""
    table: dict[str, str]
    """What is to be refused, by name."""
    inputs: int = 0
    connections: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    until: float = 0.0

    @property
    def over(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self.until

    async def enter(self, *headers: str) -> Raider | None:
        """Open a connection; None: the gateway would not have it, which is counted as an outcome."""
        raider = Raider(self.port, self.source)
        status = await raider.knock(*headers)
        self.connections += 1
        if status == "101":
            return raider
        self.outcomes[_refused(status, raider)] += 1
        raider.leave()
        return None

    async def each(self, go: Callable[[Attack, int], Awaitable[None]]) -> None:
        """Let each client *go*, again and again until the time is over."""

        async def again(number: int) -> None:
            while not self.over:
                await go(self, number)

        await asyncio.gather(*(again(number) for number in range(self.clients)))


def _refused(status: str, raider: Raider) -> str:
    if status in {"503", "429"} and "retry-after" not in raider.headers:
        return f"{status} without Retry-After"
    return status
