"""What `Feed.subscribe` returns: ticks, one after another."""

from __future__ import annotations

from tickwire_client.held import Held
from tickwire_client.line import Line
from tickwire_client.tick import Tick


class Subscription(Held[Line]):
    """An asynchronous iterator of ticks."""

    __slots__ = ()

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

    async def __anext__(self) -> Tick:
        """Return the next tick.

        Raises:
            TickwireClientError: what ended the subscription; the next call ends the iteration.
        """
        line = self._line
        while (tick := line.take()) is None:
            await line.news()
        return tick
