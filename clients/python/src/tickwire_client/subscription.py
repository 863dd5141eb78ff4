"""What `Feed.subscribe` returns: ticks, one after another."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tickwire_client.line import Line
from tickwire_client.tick import Tick


class Subscription:
    """An asynchronous iterator of ticks, and a context manager that ends it.

    One that is no longer referred to ends by itself, as after a `break` out of `async for … in feed.subscribe(…)`.
    """

    __slots__ = ("__weakref__", "_end", "_line")

    def __init__(self, line: Line, end: Callable[[Line], None]) -> None:
        self._line = line
        self._end = weakref.finalize(self, end, line)
        self._end.atexit = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it is of."""
        return tuple(self._line.symbols)

    @property
    def waiting(self) -> int:
        """Ticks that wait to be read."""
        return len(self._line.buffer)

    @property
    def conflated(self) -> int:
        """Ticks that were left out on this side, since this subscription asked for fewer or read too slowly."""
        return self._line.buffer.conflated

    def take(self) -> Tick | None:
        """Return the next tick if one is due already, without waiting for one."""
        return self._line.take()

    def end(self) -> None:
        """What `aclose` does, for callbacks that cannot wait."""
        self._end()

    async def aclose(self) -> None:
        """End it: no more ticks, not even those that wait."""
        self._end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Tick:
        """Return the next tick.

        Raises:
            TickwireClientError: what ended the subscription; the next call ends the iteration.
        """
        line = self._line
        while (tick := line.take()) is None:
            await line.news()
        return tick

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
