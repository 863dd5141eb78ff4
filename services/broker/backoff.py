"""How long to wait before the next attempt to connect (PURE)."""

from __future__ import annotations

from collections.abc import Callable
from random import uniform
from typing import Final

BASE_S: Final = 0.1
CAP_S: Final = 2.0
DENIED_S: Final = 1.0
"""Added to each wait after a refusal of our credentials: an operator's work takes longer than that, and a broker
logs every attempt.  Full jitter alone makes 13 of them in the first 10 s, on average."""
_DOUBLINGS: Final = 5
"""Beyond so many the cap holds anyway, and 2.0 ** 1024 is no number any more."""


class Backoff:
    """Full jitter: a random wait between nothing and a limit that doubles from 0.1 s to 2 s.

    Jitter over the whole range spreads a fleet that lost its broker at one moment.  *within* draws a number from 0
    to its argument.
    """

    def __init__(self, within: Callable[[float], float]) -> None:
        self._within, self._failures = within, 0

    def after(self, lasted: float, *, denied: bool = False) -> float:
        """Return the seconds to wait after a connection that stood for *lasted* seconds (0: none was made).

        *denied*: the broker refused our credentials; less than one attempt a second then.

        One that stood for less than 2 s counts as another failure: else a broker that accepts and drops us
        would be asked 20 times a second.
        """
        self._failures = 0 if lasted >= CAP_S else self._failures
        limit = min(CAP_S, BASE_S * 2.0 ** min(self._failures, _DOUBLINGS))
        self._failures += 1
        return self._within(limit) + (DENIED_S if denied else 0.0)


def jitter(most: float) -> float:
    """Return a random number from 0 to *most*."""
    return uniform(0.0, most)  # noqa: S311 - spreads a fleet, hides nothing
