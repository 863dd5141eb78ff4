"""Connections that have not made a whole request yet, and how long each may stay so.  Pure.

Somebody who opens connections and says nothing, or a letter a second, costs himself next to nothing.  So each has
a time for its first byte and one for its whole request, and when too many wait the oldest goes: a real handshake
is over in milliseconds, and in an army of slow ones the oldest is one of theirs.

Deadlines of one kind are equally long, so they come up in the order in which they were set: no timer per
connection, and no wheel.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Generic, TypeVar

T = TypeVar("T")

REQUEST_BYTES: Final = 65_536
"""Bytes that a request may have before it is complete: 1,000 that wait hold 64 MB.  aiohttp's own limits of header
fields add up to 1 MB."""


class Overdue(StrEnum):
    """Why a connection without a whole request is dropped: a metric label."""

    FIRST_BYTE = "first_byte"
    """Not one byte in time."""
    REQUEST = "request"
    """Not the whole request in time."""
    IDLE = "idle"
    """One request was answered, and no other came in time."""
    LARGE = "large"
    """Many bytes, and no end of the request."""
    CROWDED = "crowded"
    """Too many wait, and it has waited for the longest."""


class Porch(Generic[T]):
    """Guests that wait, at most *most*.  Times are seconds, *now* is of a monotonic clock."""

    def __init__(self, *, first_byte_s: float, request_s: float, most: int) -> None:
        self._first_byte_s, self._request_s, self._most = first_byte_s, request_s, most
        self._requests: OrderedDict[T, float] = OrderedDict()
        """Until when each guest has for its request, in this order."""
        self._silent: OrderedDict[T, float] = OrderedDict()
        """Until when each that is connected and has said nothing has for its first byte, in this order."""
        self._heard: dict[T, int] = {}
        self._large: set[T] = set()
        self._idle: set[T] = set()

    def __len__(self) -> int:
        return len(self._requests)

    def __contains__(self, guest: T) -> bool:
        return guest in self._requests

    def come(self, guest: T, now: float, *, again: bool = False) -> T | None:
        """Let *guest* wait for its request; return, and forget, who must go for it.

        A guest that waits already goes on with a new time.  *again*: it had a request before.
        """
        self.leave(guest)
        crowded = next(iter(self._requests)) if len(self._requests) >= self._most else None
        if crowded is not None:
            self.leave(crowded)
        self._requests[guest] = now + self._request_s
        if again:
            self._idle.add(guest)
        return crowded

    def greet(self, guest: T, now: float) -> None:
        """*guest* is connected, TLS and all: its first byte may come from now on."""
        if guest in self._requests:
            self._silent.pop(guest, None)
            self._silent[guest] = now + self._first_byte_s

    def hear(self, guest: T, size: int) -> None:
        """*size* bytes of *guest*'s came."""
        if guest in self._requests:
            self._silent.pop(guest, None)
            self._idle.discard(guest)
            self._heard[guest] = heard = self._heard.get(guest, 0) + size
            if heard > REQUEST_BYTES:
                self._large.add(guest)

    def leave(self, guest: T) -> None:
        """*guest*'s request is complete, or it has gone: forget it."""
        self._requests.pop(guest, None)
        self._silent.pop(guest, None)
        self._heard.pop(guest, None)
        self._large.discard(guest)
        self._idle.discard(guest)

    def overdue(self, now: float) -> Iterator[tuple[T, Overdue]]:
        """Yield, and forget, whose time is over, or who has said too much."""
        while self._large:
            guest = next(iter(self._large))
            self.leave(guest)
            yield guest, Overdue.LARGE
        for waiting, reason in ((self._silent, Overdue.FIRST_BYTE), (self._requests, Overdue.REQUEST)):
            while waiting and waiting[guest := next(iter(waiting))] <= now:
                idle = guest in self._idle
                self.leave(guest)
                yield guest, Overdue.IDLE if idle else reason
