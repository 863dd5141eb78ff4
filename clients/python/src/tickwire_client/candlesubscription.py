"""What `Feed.candles` returns: updates of candles, one after another."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tickwire_client.candle import CandleUpdate
from tickwire_client.candleline import CandleLine


class CandleSubscription:
    """An asynchronous iterator of updates, and a context manager that ends it; one that is let go of ends, too."""

    __slots__ = ("__weakref__", "_end", "_line")

    def __init__(self, line: CandleLine, end: Callable[[CandleLine], None]) -> None:
        self._line = line
        self._end = weakref.finalize(self, end, line)
        self._end.atexit = False

    @property
    def symbol(self) -> str:
        """What it is of."""
        return self._line.key[0]

    @property
    def interval(self) -> str:
        """How long its candles are."""
        return self._line.key[1]

    def end(self) -> None:
        """What `aclose` does, for callbacks that cannot wait."""
        self._end()

    async def aclose(self) -> None:
        """End it."""
        self._end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CandleUpdate:
        """Return all that came since the last call as one update.

        Raises:
            TickwireClientError: what ended the subscription; the next call ends the iteration.
        """
        return await self._line.take()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
