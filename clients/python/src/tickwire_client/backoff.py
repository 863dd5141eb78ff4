"""How long to wait before the next connection.  Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

BASE_S: Final = 0.1
CAP_S: Final = 10.0
"""Most seconds between two attempts; with full jitter the mean is half of it."""
TOLD_CAP_S: Final = 60.0
"""Most seconds that a gateway's `reconnect`, or `Retry-After`, may make us wait: longer than any drain."""
_DOUBLINGS: Final = 10


class Backoff:
    """Full jitter: a random time up to 0.1 s that doubles per failed attempt up to 10 s."""

    __slots__ = ("_failures", "_random")

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._failures, self._random = 0, uniform

    def succeeded(self) -> None:
        """A connection brought something: the next wait is short again."""
        self._failures = 0

    def wait(self, told: float, busy: float = 0.0) -> float:
        """Return the seconds to wait.

        *told*: seconds until the last `reconnect` wants us elsewhere, since gateways spread their clients.  They
        close at that time, so usually nothing is left of them.  *busy*: what is left of an HTTP `Retry-After`,
        which is the same for every client, so the random time comes on top.
        """
        longest = min(CAP_S, BASE_S * 2.0 ** min(self._failures, _DOUBLINGS))
        self._failures += 1
        if told > 0:
            return min(TOLD_CAP_S, told)
        return min(TOLD_CAP_S, max(0.0, busy)) + self._random(0, longest)
