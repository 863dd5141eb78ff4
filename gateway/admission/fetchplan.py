"""When a set of keys is fetched.  Pure; times are seconds of a monotonic clock."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

REFRESH_S: Final = 300.0
"""Seconds between two fetches: so long a withdrawn key still counts."""
RETRY_S: Final = 1.0
"""Seconds until the next fetch after one that failed; doubles with each further one."""
RETRY_CAP_S: Final = 60.0
"""Longest such wait."""
EXTRA_S: Final = 60.0
"""Seconds between two fetches for a key that is not in the set: made-up names do not make us ask more often."""
ABSENT_S: Final = 60.0
"""Seconds that a name is known not to be in the set."""
MOST_NAMES: Final = 1_000
"""Most names that are looked for at once, and most that are known not to be in the set."""
_DOUBLINGS: Final = 10


class FetchPlan:
    """One set's timetable.  The first fetch is due at once."""

    __slots__ = ("_absent", "_extra_at", "_failures", "_sought", "due")

    def __init__(self) -> None:
        self.due = float("-inf")
        """When the next fetch is to begin."""
        self._failures = 0
        self._extra_at = float("-inf")
        self._sought: set[str] = set()
        self._absent: dict[str, float] = {}

    def seek(self, name: str, now: float, *, pending: bool) -> bool:
        """Return whether the key *name*, which is not in the set, may come with a fetch now.

        *pending*: one begins or is under way anyway; otherwise one has to begin if this is True.
        """
        if now < self._absent.get(name, now) or len(self._sought) >= MOST_NAMES:
            return False
        if not pending:
            if now < self._extra_at:
                return False
            self._extra_at = now + EXTRA_S
            self.due = now
        self._sought.add(name)
        return True

    def fetched(self, names: Collection[str], now: float) -> None:
        """A set with keys of these *names* came."""
        self.due = now + REFRESH_S
        self._failures = 0
        known = {name: until for name, until in self._absent.items() if until > now and name not in names}
        known |= dict.fromkeys(self._sought.difference(names), now + ABSENT_S)
        self._absent = dict(list(known.items())[-MOST_NAMES:])
        self._sought.clear()

    def failed(self, now: float) -> None:
        """No set came: nothing is known of the names that were looked for."""
        self.due = now + min(RETRY_CAP_S, RETRY_S * 2 ** min(self._failures, _DOUBLINGS))
        self._failures += 1
        self._sought.clear()
