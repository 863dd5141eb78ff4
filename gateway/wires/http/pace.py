"""How much each client may ask: a bucket per client, of requests or of ticks of the past.  Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MOST_CLIENTS: Final = 65_536
"""Clients whose last requests are remembered, about 200 bytes each; beyond them the one that has not asked for the
longest is forgotten, and may ask as one that was never seen."""
_SWEPT: Final = 2
"""Full buckets looked for at each request: more than one is added, so they go."""


class Pace:
    """Each client may have *burst* at once and *rate* per second in the long run.

    Times are seconds of a monotonic clock.
    """

    def __init__(self, rate: float, burst: float, *, most: int = MOST_CLIENTS) -> None:
        self._rate, self._burst_s, self._most = rate, burst / rate, most
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When each client has its whole burst again; the one that asked last is at the end."""

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, client: str, now: float, amount: float = 1) -> float:
        """Return the seconds until *client* may have *amount*, at most the burst; 0: now."""
        debt = self._full_at.get(client, now) - now
        return max(0.0, debt + min(amount / self._rate, self._burst_s) - self._burst_s - _EPSILON)

    def spend(self, client: str, now: float, amount: float = 1) -> None:
        """Count *amount* as *client*'s, even if it is more than there is: it waits until that is made up for."""
        self._sweep(now)
        self._full_at[client] = max(self._full_at.get(client, now), now) + amount / self._rate
        self._full_at.move_to_end(client)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)

    def _sweep(self, now: float) -> None:
        for _ in range(_SWEPT):
            oldest = next(iter(self._full_at), None)
            if oldest is None or self._full_at[oldest] > now:
                return
            del self._full_at[oldest]


_EPSILON: Final = 1e-9
"""Seconds: sums of floats may be off by so much."""
