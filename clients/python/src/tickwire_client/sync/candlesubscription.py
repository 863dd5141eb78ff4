"""What the synchronous `Feed.candles` returns: updates of candles, one after another."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

from tickwire_client.candle import CandleUpdate
from tickwire_client.candlesubscription import CandleSubscription as Updates
from tickwire_client.sync.background import Background
from tickwire_client.sync.iteration import Iteration


class CandleSubscription(Iteration[CandleUpdate]):
    """An iterator of updates; see `Iteration`."""

    def __init__(self, feed: object, background: Background[Any], updates: Updates, timeout: float | None) -> None:
        super().__init__(
            background,
            partial(_next, updates),
            updates.end,
            of=f"{updates.symbol} ({updates.interval})",
            timeout=timeout,
        )
        self._updates = updates
        self._feed = feed
        """Kept, since a feed that nobody holds ends."""

    @property
    def symbol(self) -> str:
        """What it is of."""
        return self._updates.symbol

    @property
    def interval(self) -> str:
        """How long its candles are."""
        return self._updates.interval


async def _next(updates: Updates, into: deque[CandleUpdate]) -> bool:
    """Wait for the next update; False: there are no more."""
    try:
        into.append(await anext(updates))
    except StopAsyncIteration:
        return False
    return True
