"""The Python client's synchronous facade: a thread that iterates, judged like `tests.faults.pythonclient`."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from tests.checker import Checker
from tests.eventually import eventually
from tests.faults.pythonclient import Iterated, Recovery
from tickwire_client import EpochChange, Gap, Position, Status
from tickwire_client.events import DISCONNECTED
from tickwire_client.sync import Feed, connect

BEGIN_S: Final = 30.0


class SyncClient:
    """One feed of *symbols*, over gateways at *streams*, read by a plain `for` loop in a thread of its own."""

    def __init__(self, name: str, streams: Sequence[str], symbols: Sequence[str], checker: Checker) -> None:
        self.name, self.symbols, self.checker = name, list(symbols), checker
        self.iterated = {symbol: Iterated() for symbol in symbols}
        self.recovery = Recovery(symbols)
        self.faults: list[str] = []
        self.addresses: list[str] = []
        """Where its connections stood, one after another."""
        self.feed: Feed
        self._streams = list(streams)
        self._thread = threading.Thread(target=self._read, name=f"read:{name}")

    async def __aenter__(self) -> Self:
        """Connect, subscribe, and read from now on."""
        self.feed = await asyncio.to_thread(self._connected)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the feed, upon which the loop ends."""
        await asyncio.to_thread(self.feed.close)
        await eventually(lambda: not self._thread.is_alive(), deadline=BEGIN_S)

    @property
    def address(self) -> str:
        """Where it is, or was last, connected."""
        return self.addresses[-1] if self.addresses else ""

    @property
    def positions(self) -> dict[str, Position]:
        """Where the loop stands."""
        return {symbol: seen.at for symbol, seen in self.iterated.items() if seen.at is not None}

    def _connected(self) -> Feed:
        return connect(
            self._streams,
            on_frame=lambda text: self.checker.received(text.encode()),
            on_command=lambda text: self.checker.sent(json.loads(text)),
            on_connection=self._opened,
            on_status=self._status,
            on_gap=self._told,
            on_epoch=self._told,
            on_violation=lambda violation: self.faults.append(str(violation)),
        )

    def _read(self) -> None:
        for tick in self.feed.subscribe(*self.symbols):
            fault = self.iterated[tick.symbol].take(tick)
            self.recovery.take(tick)
            if fault is not None:
                self.faults.append(fault)

    def _opened(self, url: str) -> None:
        self.addresses.append(url)
        self.checker.opened()

    def _status(self, status: Status) -> None:
        if status.feed == DISCONNECTED:
            self.checker.closed()

    def _told(self, event: Gap | EpochChange) -> None:
        self.iterated[event.symbol].told(event)
