"""Tells by its routing key whose a message is that came through a queue of several symbols (PURE)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.broker.rabbitmq.deliveries import Batch, Delivery
from services.market.symbol import Symbol


class Sorter:
    """Collects what one read brought through shared queues.

    *unwanted* is called with the number of ticks that came for nobody: they were in a queue when their symbol was
    unbound from it.
    """

    def __init__(self, unwanted: Callable[[int], None]) -> None:
        self._unwanted = unwanted
        self._found: list[Delivery] = []

    def sort(self, keys: Mapping[str, Symbol], batch: Batch) -> None:
        """Take what one queue brought; *keys*: whose ticks come by which routing key."""
        keep, symbol_of, unwanted = self._found.append, keys.get, 0
        for key, identity, body in batch.entries:
            symbol = symbol_of(key)
            if symbol is None:
                unwanted += body.count(b"\n") + 1
            else:
                keep((symbol, identity, body))
        if unwanted:
            self._unwanted(unwanted)

    def take(self) -> list[Delivery]:
        """Return what was found since the last time, per queue in the order it came."""
        found, self._found = self._found, []
        return found
