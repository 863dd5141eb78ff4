"""What `Feed.candles` returns: updates of candles, one after another."""

from __future__ import annotations

from tickwire_client.candle import CandleUpdate
from tickwire_client.candleline import CandleLine
from tickwire_client.held import Held


class CandleSubscription(Held[CandleLine]):
    """An asynchronous iterator of updates."""

    __slots__ = ()

    @property
    def symbol(self) -> str:
        """What it is of."""
        return self._line.key[0]

    @property
    def interval(self) -> str:
        """How long its candles are."""
        return self._line.key[1]

    async def __anext__(self) -> CandleUpdate:
        """Return all that came since the last call as one update.

        Raises:
            TickwireClientError: what ended the subscription; the next call ends the iteration.
        """
        return await self._line.take()
