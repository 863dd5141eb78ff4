"""How many commands may be sent now: within the gateway's limits, so that it never closes with 4429.  Pure."""

from __future__ import annotations

from typing import Final

SHARE: Final = 0.8
"""The part of the gateway's limits that is used: pings of the WebSocket library count too."""


class Allowance:
    """A token bucket."""

    __slots__ = ("_at", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s, self._burst = per_s * SHARE, max(1.0, burst * SHARE)
        self._left, self._at = self._burst, now

    def take(self, now: float) -> bool:
        """Use one command up, if there is one."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def spend(self, more: int) -> None:
        """Count the command that was taken as *more* besides: it is about many names."""
        self._left -= more

    def give_back(self) -> None:
        """What was taken was not used."""
        self._left += 1

    def due(self, now: float) -> float:
        """Return when the next command may be sent."""
        return now if self._left >= 1 else now + (1 - self._left) / self._per_s
