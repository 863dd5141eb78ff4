"""How much a client may ask.  Pure."""

from __future__ import annotations


class TokenBucket:
    """Allows *burst* at once and *rate* per second in the long run.  *now* is seconds of a monotonic clock."""

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._updated = now

    def take(self, now: float) -> bool:
        """Take one token; False: there is none."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def left(self, now: float) -> int:
        """How many tokens there are."""
        self._refill(now)
        return max(0, int(self._tokens))

    def spend(self, now: float, count: int) -> None:
        """Take *count* tokens, even if there are fewer: then none is left until the debt is made up for."""
        self._refill(now)
        self._tokens -= count

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0: there is one."""
        self._refill(now)
        return max(0.0, (1 - self._tokens) / self._rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
