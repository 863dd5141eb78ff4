"""One subscription within its feed: the buffer, and who waits on either side of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from tickwire_client.buffer import Buffer
from tickwire_client.errors import TickwireClientError
from tickwire_client.events import Gap
from tickwire_client.tick import Tick


class Line:
    """What the feed holds of a subscription.

    Attributes:
        symbols: what it is of, in the order given.
        on_gap: told of ticks that are not coming.
        rate: ticks per second and symbol that it wants; None: all.
        error: why it ended; None with *over*: its owner ended it.
    """

    __slots__ = ("_held", "_news", "_room", "buffer", "error", "on_gap", "over", "rate", "symbols")

    def __init__(
        self,
        symbols: Mapping[str, None],
        rate: float | None,
        limit: int,
        on_gap: Callable[[Gap], object] | None = None,
    ) -> None:
        self.on_gap = on_gap
        self.symbols, self.rate, self.buffer = symbols, rate, Buffer(limit)
        self.error: TickwireClientError | None = None
        self.over = self._held = False
        self._news, self._room = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """Something came."""
        self._news.set()

    def end(self, error: TickwireClientError | None = None) -> None:
        """Nothing follows: the reader takes what waits, then *error* or the end."""
        if not self.over:
            self.over, self.error = True, error
            self._news.set()
            self._room.set()

    def take(self) -> Tick | None:
        """Return the next tick, None: none is due."""
        buffer = self.buffer
        tick = buffer.ready() or buffer.take(time.monotonic())
        if self._held and not buffer.full:
            self._room.set()
        return tick

    async def news(self) -> None:
        """Return when another look is worth it.

        Raises:
            TickwireClientError: what ended the subscription, once.
            StopAsyncIteration: the subscription is over.
        """
        if self.over:
            error, self.error = self.error, None
            raise error or StopAsyncIteration
        self._news.clear()
        due = self.buffer.due()
        if due is None:
            await self._news.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await self._news.wait()
        except TimeoutError:
            return

    async def room(self, patience: float) -> None:
        """Give the reader *patience* seconds to make room; then conflate."""
        self._held = True
        try:
            async with asyncio.timeout(patience):
                while self.buffer.full and not self.over:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            self.buffer.conflate()
        finally:
            self._held = False
