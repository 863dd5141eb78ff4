"""The Python client in a market: what it hands out, what it accounts for, and what a checker saw of its frames.

Three views of the same ticks, which must agree: each tick that was iterated (judged by `Iterated`, which knows
only positions and what the callbacks told), `feed.account`, and the account of `tests.checker`, made of the raw
frames.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from tests.checker import Checker
from tests.stack import Tickwire
from tickwire_client import EpochChange, Feed, Gap, Position, Status, Subscription, Tick, Violation, connect
from tickwire_client.events import DISCONNECTED

KEPT: Final = 20
"""Faults of a client that are told; the others are only counted."""


class Iterated:
    """The ticks of one symbol as they were iterated: each once and in order, or told which ones are not coming."""

    def __init__(self, at: Position | None = None) -> None:
        self.count = 0
        self.at = at
        """The last position that was iterated, or resumed from."""
        self.last: Tick | None = None
        self.turns: list[tuple[Tick, Tick]] = []
        """The last tick of an epoch and the first one of the next."""
        self._gaps: list[Gap] = []
        self._epochs: set[int] = set()

    def told(self, event: Gap | EpochChange) -> None:
        """A callback came."""
        if isinstance(event, Gap):
            self._gaps.append(event)
        else:
            self._epochs.add(event.epoch)

    def take(self, tick: Tick) -> str | None:
        """Take the next tick; return what is wrong with it."""
        before, last = self.at, self.last
        self.at, self.last = tick.position, tick
        self.count += 1
        if before is None:
            return None
        if tick.position <= before:
            return f"{tick} after {before}"
        if tick.epoch == before.epoch:
            return self._explained(tick, tick.seq - before.seq - 1 - tick.skipped, before)
        if last is not None:
            self.turns.append((last, tick))
        if tick.snapshot:
            return None if self._opened(before, tick) else f"{tick} after {before} without a gap"
        if tick.epoch not in self._epochs:
            return f"{tick} after {before} without a change of epoch"
        return self._explained(tick, tick.seq - 1 - tick.skipped, Position(tick.epoch, 0))

    def _explained(self, tick: Tick, hole: int, before: Position) -> str | None:
        if tick.snapshot and self._opened(before, tick):
            return None
        named = sum(
            gap.last - gap.first + 1
            for gap in self._gaps
            if gap.last is not None and gap.epoch == tick.epoch and before.seq < gap.first <= gap.last < tick.seq
        )
        return None if hole == named else f"{tick} after {before}: {hole} are missing, {named} were named"

    def _opened(self, before: Position, tick: Tick) -> bool:
        """Whether a gap without an end lies between."""
        return any(
            gap.last is None and before < Position(gap.epoch, gap.first) <= tick.position for gap in self._gaps
        )


class Recovery:
    """How long a client takes from each `expect` until each of its symbols has a tick that is younger."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.took: list[float] = []
        self._symbols, self._due = list(symbols), set[str]()
        self._since_us, self._since = 0, 0.0

    def expect(self) -> None:
        """Time runs from now on."""
        self._since_us, self._since = time.time_ns() // 1000, time.monotonic()
        self._due = set(self._symbols)

    @property
    def pending(self) -> bool:
        """Whether it is not up to date again."""
        return bool(self._due)

    def take(self, tick: Tick) -> None:
        """A tick was iterated."""
        if tick.symbol in self._due and tick.ts >= self._since_us:
            self._due.discard(tick.symbol)
            if not self._due:
                self.took.append(time.monotonic() - self._since)


class PythonClient:
    """One feed of *symbols*, over gateways at *streams*, which are tried in turn.  *resume*: where it goes on."""

    def __init__(
        self,
        name: str,
        streams: Sequence[str],
        symbols: Sequence[str],
        checker: Checker,
        *,
        resume: Mapping[str, Position] | None = None,
    ) -> None:
        self.name, self.symbols, self.checker = name, list(symbols), checker
        self.told: list[tuple[float, str]] = []
        """Monotonic time and `feed` of each status of a shard."""
        self.addresses: list[str] = []
        """Where its connections stood, one after another."""
        self.faults: list[str] = []
        self.iterated = {symbol: Iterated((resume or {}).get(symbol)) for symbol in symbols}
        self.recovery = Recovery(symbols)
        self.newest_ts = 0
        """Event time of the newest tick that was iterated, microseconds since 1970."""
        self.feed: Feed
        self._streams, self._resume = list(streams), resume
        self._open = AsyncExitStack()
        self._ticks: Subscription
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect; see `begin`."""
        self.feed = await self._open.enter_async_context(
            connect(
                self._streams,
                on_frame=lambda text: self.checker.received(text.encode()),
                on_command=lambda text: self.checker.sent(json.loads(text)),
                on_connection=self._connected,
                on_status=self._status,
                on_gap=self._happened,
                on_epoch=self._happened,
                on_violation=self._violation,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; an error of the reading task is raised here."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
        await self._open.aclose()
        if error is None and reading is not None and not reading.cancelled():
            reading.result()

    def begin(self) -> None:
        """Subscribe, and read from now on."""
        self._ticks = self.feed.subscribe(*self.symbols, resume=self._resume)
        self._reading = asyncio.create_task(self._read(), name=f"read:{self.name}")

    @property
    def address(self) -> str:
        """Where it is, or was last, connected."""
        return self.addresses[-1] if self.addresses else ""

    @property
    def positions(self) -> dict[str, Position]:
        """Where the program that iterates stands."""
        return {symbol: seen.at for symbol, seen in self.iterated.items() if seen.at is not None}

    def ticks(self) -> dict[str, int]:
        """Return how many ticks were iterated, by symbol."""
        return {symbol: seen.count for symbol, seen in self.iterated.items()}

    def settled(self, last: Mapping[str, tuple[int, int]]) -> bool:
        """Whether every symbol was iterated, or accounted for, up to its *last* position."""
        return self.checker.settled(last) and all(
            self.feed.cursor(symbol) == last[symbol] for symbol in self.symbols if symbol in last
        )

    async def drained(self) -> None:
        """Return once everything that came was iterated."""
        async with asyncio.timeout(5):
            while self._ticks.waiting:  # noqa: ASYNC110 - the reader is another task of this loop
                await asyncio.sleep(0)

    def agree(self, gateways: Sequence[Tickwire]) -> None:
        """Raise AssertionError unless the three views agree and no connection ended but with its gateway."""
        assert not self.faults, (self.name, self.faults[:KEPT])
        assert self._ticks.conflated == 0, f"{self.name} read too slowly"
        for symbol in self.symbols:
            ours, theirs, seen = self.feed.account(symbol), self.checker.account(symbol), self.iterated[symbol]
            shown = theirs.delivered + theirs.snapshots - ours.repeated
            assert seen.count == ours.delivered == shown, (self.name, symbol, seen.count, ours, theirs)
            assert (ours.skipped, ours.missing, ours.unknown) == (theirs.conflated, theirs.missing, theirs.open)
            assert ours.violations == 0, (self.name, symbol, ours)
        alive = {gateway.stream for gateway in gateways if gateway.alive}
        ended = [address for address in self.addresses[:-1] if address in alive]
        assert not ended, f"{self.name} was disconnected from gateways that live: {ended}; {self.feed.reason}"

    # ---------------------------------------------------------------------------------------------------- within

    async def _read(self) -> None:
        async for tick in self._ticks:
            fault = self.iterated[tick.symbol].take(tick)
            self.newest_ts = max(self.newest_ts, tick.ts)
            self.recovery.take(tick)
            if fault is not None:
                self.faults.append(fault)

    def _connected(self, url: str) -> None:
        self.addresses.append(url)
        self.checker.opened()

    def _status(self, status: Status) -> None:
        if status.feed == DISCONNECTED:
            self.checker.closed()
        elif status.shard is not None:
            self.told.append((time.monotonic(), status.feed))

    def _happened(self, event: Gap | EpochChange) -> None:
        self.iterated[event.symbol].told(event)

    def _violation(self, violation: Violation) -> None:
        self.faults.append(str(violation))
