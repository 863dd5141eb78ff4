"""What the synchronous `Feed.subscribe` returns: ticks, one after another."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Final

from tickwire_client.subscription import Subscription as Ticks
from tickwire_client.sync.background import Background
from tickwire_client.sync.iteration import Iteration
from tickwire_client.tick import Tick

BATCH: Final = 256
"""Most ticks that cross from the feed's thread at once, or `buffer` if that is less: they come on top of it."""


class Subscription(Iteration[Tick]):
    """An iterator of ticks; see `Iteration`."""

    def __init__(
        self, feed: object, background: Background[Any], ticks: Ticks, timeout: float | None, batch: int
    ) -> None:
        super().__init__(
            background, partial(_batch, ticks, batch), ticks.end, of=", ".join(ticks.symbols), timeout=timeout
        )
        self._ticks = ticks
        self._feed = feed
        """Kept, since a feed that nobody holds ends."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it is of."""
        return self._ticks.symbols

    @property
    def waiting(self) -> int:
        """Ticks that wait to be read."""
        return self._background.ask(lambda: self._ticks.waiting) + len(self._ready)

    @property
    def conflated(self) -> int:
        """Ticks that were left out on this side, since this subscription wants fewer, or was read too slowly."""
        return self._background.ask(lambda: self._ticks.conflated)


async def _batch(ticks: Ticks, most: int, into: deque[Tick]) -> bool:
    """Wait for the next tick, and take what has come besides; False: there are no more."""
    try:
        into.append(await anext(ticks))
    except StopAsyncIteration:
        return False
    while len(into) < most and (tick := ticks.take()) is not None:
        into.append(tick)
    return True
