"""The tickets that one gateway has put and nobody may have taken yet: how many there may be (PURE)."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from services.broker.tickets import TICKET_S

WAITING: Final = 1_000
"""Most tickets that one gateway has put in the last 30 s; each is a queue, 55 KB of the broker's memory."""

_NAME: Final = re.compile(r"[0-9a-f]{32}")


class Stubs:
    """What is left of each ticket here: when it was put.  *now*: seconds of a monotonic clock.

    A ticket counts until its time is over: who takes it may do so on another gateway.
    """

    def __init__(self, most: int = WAITING) -> None:
        self._most = most
        self._put: deque[float] = deque()

    def add(self, now: float) -> bool:
        """Count another ticket; False: as many wait as may."""
        while self._put and self._put[0] <= now - TICKET_S:
            self._put.popleft()
        if len(self._put) >= self._most:
            return False
        self._put.append(now)
        return True


def is_ticket(name: str) -> bool:
    """Whether *name* is what a ticket is called: nothing else gets into the name of a queue."""
    return _NAME.fullmatch(name) is not None
