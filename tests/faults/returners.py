"""Clients that follow a hot symbol, go away for longer than a gateway remembers, and come back with their cursors.

Three lean ones with a checker each, and a Python client.  They come back in two steps, `arrive` and `resume`, so
that a test can do its worst between them.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.pythonclient import PythonClient
from tests.loadclient import LoadClient
from tests.stack import Tickwire

HOT: Final = "HOT"
VISITORS: Final = 3
SAMPLE: Final = 50
BEGIN_S: Final = 20.0


class Visitor(LoadClient):
    """A client of HOT on one connection after another."""

    def __init__(self, name: str) -> None:
        super().__init__(Checker(name, sample=SAMPLE), seen=self._look)
        self.newest_ts = 0
        """Event time of the last tick that came, microseconds since 1970."""

    async def leave(self) -> None:
        """Close the connection."""
        await self.__aexit__(None, None, None)

    def _look(self, raw: bytes) -> None:
        if raw.startswith((b'{"op":"ticks"', b'{"op":"snapshot"')):
            self.newest_ts = int(raw[raw.rindex(b'"ts":') + 5 :].partition(b",")[0])


class Returners:
    """One party of them; all its clients leave and come back together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.visitors = [Visitor(f"{name} {n}") for n in range(VISITORS)]
        self.python: PythonClient
        self._open = AsyncExitStack()
        self._began = 0.0
        self._since_us = 0
        self._left = dict[str, int]()

    async def __aenter__(self) -> Self:
        """Nobody is there yet: see `stay`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let all go."""
        await self._leave()

    async def stay(self, gateway: Tickwire) -> None:
        """Follow HOT at *gateway* until everybody has ticks, then leave."""
        self.python = PythonClient(
            f"{self.name} python", [gateway.stream], [HOT], Checker("python", sample=SAMPLE)
        )
        await self._open.enter_async_context(self.python)
        self.python.begin()
        for visitor in self.visitors:
            await visitor.connect(gateway.stream)
            visitor.say("subscribe", symbols=[HOT])
        await eventually(lambda: all(count > 10 for count in self._counts().values()), deadline=BEGIN_S)
        await self._leave()
        self._left = self._counts()

    async def arrive(self, gateway: Tickwire) -> None:
        """Connect to *gateway*, and ask for nothing yet."""
        self.python = PythonClient(
            f"{self.name} python",
            [gateway.stream],
            [HOT],
            Checker(f"{self.name} python", sample=SAMPLE),
            resume=self.python.positions,
        )
        await self._open.enter_async_context(self.python)
        for visitor in self.visitors:
            visitor.close_code = None
            await visitor.connect(gateway.stream)

    def resume(self) -> None:
        """Ask to go on; from now on time runs."""
        self._began, self._since_us = time.monotonic(), time.time_ns() // 1000
        for visitor in self.visitors:
            visitor.say("subscribe", symbols=[HOT], resume=visitor.checker.resume([HOT]))
        self.python.begin()

    async def replaying(self) -> None:
        """Return once a first part of what was missed has come, to anybody."""
        before = self._counts() | {self.python.name: 0}
        await eventually(
            lambda: any(count > before[name] for name, count in self._counts().items()), deadline=BEGIN_S
        )

    async def recovered(self, deadline: float) -> float:
        """Return the seconds from `resume` until everybody has a tick younger than that."""
        await eventually(lambda: not self.recovering, deadline=deadline)
        return time.monotonic() - self._began

    @property
    def recovering(self) -> int:
        """How many have no tick that is younger than `resume`."""
        clients: list[Visitor | PythonClient] = [*self.visitors, self.python]
        return sum(client.newest_ts < self._since_us for client in clients)

    def told(self) -> Counter[str]:
        """What was told instead of ticks, by reason; a gap without an end counts as 1."""
        told: Counter[str] = Counter()
        for checker in self._checkers:
            account = checker.account(HOT)
            told += account.missing + account.open
        return told

    @property
    def got_again(self) -> int:
        """Ticks that the one who got least has had since it left."""
        counts = self._counts()
        return min(counts[visitor.checker.name] - self._left[visitor.checker.name] for visitor in self.visitors)

    async def judge(self, gateway: Tickwire) -> None:
        """Raise unless everybody's frames, and the Python client's account, are in order at this moment."""
        for checker in self._checkers:
            checker.check()
        await self.python.drained()
        self.python.agree([gateway])
        assert len(self.python.addresses) == 1, self.python.feed.reason
        assert [visitor.close_code for visitor in self.visitors] == [None] * VISITORS

    @property
    def _checkers(self) -> list[Checker]:
        return [*(visitor.checker for visitor in self.visitors), self.python.checker]

    def _counts(self) -> dict[str, int]:
        counts = {v.checker.name: v.checker.account(HOT).delivered for v in self.visitors}
        return counts | {self.python.name: self.python.iterated[HOT].count}

    async def _leave(self) -> None:
        for visitor in self.visitors:
            await visitor.leave()
        await self._open.aclose()
