"""Feeds of the JavaScript client in one Node process, each judged from outside by what it reports.

Three views of the same ticks, which must agree: the ticks that its listener was given (judged by `Iterated`), its
own `account`, and the account of `tests.checker`, made of the raw frames.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.pythonclient import Iterated
from tickwire_client import EpochChange, Gap, Tick
from tickwire_client.tick import Arrival

PROGRAM: Final = Path(__file__).parents[2] / "clients/javascript/tests/reporter.mjs"
LINE_BYTES: Final = 1024**2
"""Longest line: a frame of 64 KiB, with each quote escaped."""
ANSWER_S: Final = 10.0
_ARRIVAL: Final = Arrival(0, None, 0)


class Feed:
    """What one feed of the process reported."""

    def __init__(self, name: str, symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)
        self.checker = Checker(name, sample=20)
        self.given = {symbol: Iterated() for symbol in symbols}
        self.faults: list[str] = []
        self.states: list[tuple[str, str | None]] = []
        self.errors: list[tuple[str, str]] = []
        self.gateway = ""
        """The address at which its connection stands, or stood last."""
        self.accounts: dict[str, dict[str, int]] = {}
        self.status: dict[str, Any] = {}
        self._takers: Mapping[str, Callable[..., object]] = {
            "at": lambda url: setattr(self, "gateway", url),
            "in": self._frame,
            "out": lambda text: self.checker.sent(json.loads(text)),
            "tick": self._tick,
            "gap": self._gap,
            "epoch": lambda change: self.given[change["symbol"]].told(EpochChange(**change)),
            "violation": lambda violation: self.faults.append(str(violation)),
            "state": lambda state, transport: self.states.append((state, transport)),
            "error": lambda code, message: self.errors.append((code, message)),
            "account": self._account,
        }

    def take(self, kind: str, *words: Any) -> None:
        """Take one line."""
        self._takers[kind](*words)

    def ticks(self) -> dict[str, int]:
        """Return how many ticks the listener was given, by symbol."""
        return {symbol: given.count for symbol, given in self.given.items()}

    def settled(self, last: Mapping[str, tuple[int, int]]) -> bool:
        """Whether the listener was given each symbol up to its *last* position."""
        return self.checker.settled(last) and all(self.given[symbol].at == last[symbol] for symbol in self.symbols)

    def agree(self) -> int:
        """Return the ticks that were given; AssertionError unless the three views agree."""
        assert not self.faults, (self.checker.name, self.faults[:20])
        for symbol in self.symbols:
            ours, theirs, given = self.accounts[symbol], self.checker.account(symbol), self.given[symbol]
            assert given.count == ours["delivered"] == theirs.delivered + theirs.snapshots - ours["repeated"]
            assert (ours["conflated"], ours["missing"]) == (theirs.conflated, sum(theirs.missing.values()))
            assert (ours["unexplained"], ours["unknown"]) == (0, sum(theirs.open.values()))
        return sum(self.ticks().values())

    def _frame(self, text: str) -> None:
        if text.startswith('{"op":"welcome"'):
            self.checker.opened()
        self.checker.received(text.encode())

    def _tick(self, symbol: str, epoch: int, seq: int, skipped: int, snapshot: bool) -> None:  # noqa: FBT001
        tick = Tick({"symbol": symbol, "seq": seq, "price": "0", "size": 0}, _ARRIVAL, epoch, skipped, snapshot)
        if (fault := self.given[symbol].take(tick)) is not None:
            self.faults.append(fault)

    def _gap(self, gap: Mapping[str, Any]) -> None:
        self.given[gap["symbol"]].told(Gap(gap["symbol"], gap["epoch"], gap["from"], gap["to"], gap["reason"]))

    def _account(self, accounts: dict[str, dict[str, int]], status: dict[str, Any]) -> None:
        self.accounts, self.status = accounts, status


class Reporter:
    """The process.  *wanted*: per feed its addresses, symbols and options."""

    def __init__(self, wanted: Sequence[tuple[Sequence[str], Sequence[str], Mapping[str, object]]]) -> None:
        self.feeds = [Feed(f"javascript {number}", symbols) for number, (_, symbols, _) in enumerate(wanted)]
        self._wanted = [
            {"urls": urls, "symbols": symbols, "options": options} for urls, symbols, options in wanted
        ]
        self._process: Process
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Start it."""
        node = shutil.which("node")
        assert node is not None, "no Node on PATH: PATH=$(deploy/node.sh)"
        assert (PROGRAM.parents[1] / "dist/index.js").exists(), "the client is not built: make javascript"
        self._process = await asyncio.create_subprocess_exec(
            node, str(PROGRAM), json.dumps(self._wanted), stdin=PIPE, stdout=PIPE, limit=LINE_BYTES
        )
        self._reading = asyncio.create_task(self._read(), name="reporter")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the feeds: then the process must end by itself."""
        assert self._process.stdin is not None
        if error is not None:
            self._process.kill()
        self._process.stdin.close()
        try:
            code = await asyncio.wait_for(self._process.wait(), ANSWER_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise
        await self._reading
        if error is None:
            assert code == 0

    async def account(self) -> None:
        """Let every feed report its account."""
        assert self._process.stdin is not None
        for feed in self.feeds:
            feed.accounts = {}
        self._process.stdin.write(b"\n")
        await eventually(lambda: all(feed.accounts for feed in self.feeds), deadline=ANSWER_S)

    async def flowing(self, deadline: float) -> float:
        """Return the seconds until each feed was given one more tick of each of its symbols."""
        began = asyncio.get_running_loop().time()
        waiting = [(feed, feed.ticks()) for feed in self.feeds]

        def all_flow() -> bool:
            waiting[:] = [w for w in waiting if any(w[0].ticks()[s] <= count for s, count in w[1].items())]
            return not waiting

        await eventually(all_flow, deadline=deadline)
        return asyncio.get_running_loop().time() - began

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.endswith(b"\n"):  # else the process was killed as it wrote
                number, *words = json.loads(line)
                self.feeds[number].take(*words)
            await asyncio.sleep(0)  # a line that is there already is read without a turn of the loop
