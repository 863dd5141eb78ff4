"""The live queue of one follower and symbol, bounded as the broker's queues are.  Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from services.broker.topology import LIVE_ARGUMENTS
from services.errors import MalformedMessage
from services.market.wire import TickMessage

QUEUE_MESSAGES: Final = int(LIVE_ARGUMENTS["x-max-length"])
"""Most messages that wait for one follower and symbol; then the oldest goes (`drop-head`)."""
QUEUE_TTL: Final = int(LIVE_ARGUMENTS["x-message-ttl"]) / 1000
"""Seconds after which a waiting message is dropped."""

Item = TickMessage | MalformedMessage


class LiveQueue:
    """Messages of one symbol that wait for one follower, oldest first."""

    def __init__(self) -> None:
        self.muted = False
        """True: no longer bound to the ticks, so nothing more comes in."""
        self._items: deque[tuple[float, Item]] = deque()

    def put(self, item: Item, now: float) -> int:
        """Append *item* at *now* (monotonic seconds); return how many old ones had to go for it (0 or 1)."""
        if self.muted:
            return 0
        self._items.append((now, item))
        if len(self._items) <= QUEUE_MESSAGES:
            return 0
        self._items.popleft()
        return 1

    def expire(self, now: float) -> int:
        """Drop what has waited longer than `QUEUE_TTL`; return how many."""
        dropped = 0
        while self._items and self._items[0][0] < now - QUEUE_TTL:
            self._items.popleft()
            dropped += 1
        return dropped

    def take(self) -> list[Item]:
        """Return everything that waits, and keep nothing."""
        items = [item for _, item in self._items]
        self._items.clear()
        return items
