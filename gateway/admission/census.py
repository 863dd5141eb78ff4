"""Who is connected, from where and as whom, and how often each address may knock.  Pure.

An *address* is a key of `gateway.admission.address.key`: somebody with a /32 of IPv6 has 4 billion of them, and
none of these limits stops him.  What he cannot pass are the limits on all together: connections in all, pending
ones, and the rate at which the doorway lets anybody in.  Neither does he gain by filling the memory of buckets:
who is forgotten there may knock as one that was never seen, which a further /64 of his is anyway.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from typing import Final

MOST_ADDRESSES: Final = 65_536
"""Addresses whose last knocks are remembered, about 200 bytes each; beyond them the one that has not knocked for
the longest is forgotten."""
_SWEPT: Final = 2
"""Old buckets looked at in each knock: more than one is added, so those that are full again go."""


class Fullness(StrEnum):
    """Whose connections are as many as may be."""

    ADDRESS = "address"
    SUBJECT = "subject"


class Census:
    """Counts connections per address and subject; each address may knock *burst* times, then *rate* per second."""

    def __init__(
        self,
        *,
        max_per_address: int,
        max_per_subject: int,
        rate: float,
        burst: int,
        most_addresses: int = MOST_ADDRESSES,
    ) -> None:
        self._max_per_address, self._max_per_subject = max_per_address, max_per_subject
        self._each, self._burst_s = 1 / rate, burst / rate
        self._most_addresses = most_addresses
        self._addresses: dict[str, int] = {}
        self._subjects: dict[str, int] = {}
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When each address has its whole burst again; the one that knocked last is at the end."""

    def knock(self, address: str, now: float) -> float | None:
        """Count a handshake; return the seconds until the next one may be tried, None: it is welcome.

        One that is not welcome costs nothing.  *now*: seconds of a monotonic clock.
        """
        self._sweep(now)
        full_at = max(self._full_at.get(address, now), now) + self._each
        wait = full_at - now - self._burst_s
        if wait > _EPSILON:
            self._full_at.move_to_end(address)
            return wait
        self._full_at[address] = full_at
        self._full_at.move_to_end(address)
        if len(self._full_at) > self._most_addresses:
            self._full_at.popitem(last=False)
        return None

    def enter(self, address: str, subject: str | None, max_connections: int | None) -> Fullness | None:
        """Count a connection; return whose limit it would pass, and count nothing then.

        *max_connections*: what the subject's token says, which is more or less than the gateway's own limit.
        """
        if self._addresses.get(address, 0) >= self._max_per_address:
            return Fullness.ADDRESS
        if subject is not None and (full := self.claim(subject, max_connections)) is not None:
            return full
        self._addresses[address] = self._addresses.get(address, 0) + 1
        return None

    def claim(self, subject: str, max_connections: int | None) -> Fullness | None:
        """Count a connection that has entered without a subject as *subject*'s; return whether that is full."""
        most = self._max_per_subject if max_connections is None else max_connections
        count = self._subjects.get(subject, 0)
        if count >= most:
            return Fullness.SUBJECT
        self._subjects[subject] = count + 1
        return None

    def leave(self, address: str, subject: str | None) -> None:
        """A connection ended that entered from *address*, and was counted as *subject*'s if that is not None.

        Raises:
            KeyError: no such connection is counted.
        """
        _less(self._addresses, address)
        if subject is not None:
            _less(self._subjects, subject)

    @property
    def addresses(self) -> int:
        """Addresses with connections."""
        return len(self._addresses)

    @property
    def subjects(self) -> int:
        """Subjects with connections."""
        return len(self._subjects)

    @property
    def buckets(self) -> int:
        """Addresses whose last knocks are remembered."""
        return len(self._full_at)

    def _sweep(self, now: float) -> None:
        for _ in range(_SWEPT):
            oldest = next(iter(self._full_at), None)
            if oldest is None or self._full_at[oldest] > now:
                return
            del self._full_at[oldest]


def _less(counts: dict[str, int], key: str) -> None:
    if counts[key] == 1:
        del counts[key]
    else:
        counts[key] -= 1


_EPSILON: Final = 1e-9
"""Seconds: sums of floats may be off by so much."""
