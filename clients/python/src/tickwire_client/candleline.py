"""One subscription to candles within its feed: what waits for its reader."""

from __future__ import annotations

import asyncio
from typing import Final

from tickwire_client.candle import Candle, CandleUpdate
from tickwire_client.errors import TickwireClientError

WAITING: Final = 1000
"""Candles that may wait for a reader; of more the newest stay, and replace all that the reader has."""


class CandleLine:
    """What the feed holds of a subscription: updates that were not read yet are one.

    Attributes:
        key: symbol and interval.
        history: how many candles a reset has.
    """

    __slots__ = ("_news", "_reset", "_waiting", "error", "history", "key", "over")

    def __init__(self, key: tuple[str, str], history: int) -> None:
        self.key, self.history = key, history
        self.error: TickwireClientError | None = None
        self.over = False
        self._waiting: dict[int, Candle] = {}
        self._reset = False
        self._news = asyncio.Event()

    def offer(self, update: CandleUpdate) -> None:
        """Take an update."""
        candles = update.candles
        if update.reset:
            self._reset, self._waiting = True, {}
            candles = candles[len(candles) - self.history :] if len(candles) > self.history else candles
        self._waiting.update((candle.start, candle) for candle in candles)
        if len(self._waiting) > WAITING:
            self._waiting = dict(list(self._waiting.items())[-WAITING:])
            self._reset = True
        self._news.set()

    def end(self, error: TickwireClientError | None = None) -> None:
        """Nothing follows: the reader takes what waits, then *error* or the end."""
        if not self.over:
            self.over, self.error = True, error
            self._news.set()

    def discard(self) -> None:
        """Nobody reads any more."""
        self._waiting, self._reset = {}, False

    async def take(self) -> CandleUpdate:
        """Return what waits, once there is something.

        Raises:
            TickwireClientError: what ended the subscription, once.
            StopAsyncIteration: the subscription is over.
        """
        while not (self._reset or self._waiting):
            if self.over:
                error, self.error = self.error, None
                raise error or StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        update = CandleUpdate(*self.key, tuple(self._waiting.values()), self._reset)
        self.discard()
        return update
