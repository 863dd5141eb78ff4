"""How long to wait before the next attempt to connect (PURE)."""

from __future__ import annotations

from random import Random
from typing import Final

BASE_S: Final = 0.1
CAP_S: Final = 2.0


class Backoff:
    """Full jitter: a random wait between nothing and a limit that doubles from 0.1 s to 2 s.

    Jitter over the whole range spreads a fleet that lost its broker at one moment.
    """

    def __init__(self, random: Random) -> None:
        self._random, self._failures = random, 0

    def after(self, lasted: float) -> float:
        """Return the seconds to wait after a connection that stood for *lasted* seconds (0: none was made).

        One that stood for less than 2 s counts as another failure: else a broker that accepts and drops us
        would be asked 20 times a second.
        """
        self._failures = 0 if lasted >= CAP_S else self._failures
        limit = min(CAP_S, BASE_S * 2 ** min(self._failures, 10))
        self._failures += 1
        return self._random.uniform(0.0, limit)
