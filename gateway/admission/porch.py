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
from typing import Generic, TypeVar

T = TypeVar("T")


class Overdue(StrEnum):
    """Why a connection without a whole request is dropped: a metric label."""

    FIRST_BYTE = "first_byte"
    """Not one byte in time."""
    REQUEST = "request"
    """Not the whole request in time."""
    CROWDED = "crowded"
    """Too many wait, and it has waited for the longest."""


class Porch(Generic[T]):
    """Guests that wait: *first_byte_s* and *request_s* are seconds, *most* guests; *now* is monotonic seconds."""

    def __init__(self, *, first_byte_s: float, request_s: float, most: int) -> None:
        self._first_byte_s, self._request_s, self._most = first_byte_s, request_s, most
        self._requests: OrderedDict[T, float] = OrderedDict()
        """Until when each guest has for its request, in this order."""
        self._silent: OrderedDict[T, float] = OrderedDict()
        """Until when each that is connected and has said nothing has for its first byte, in this order."""

    def __len__(self) -> int:
        return len(self._requests)

    def come(self, guest: T, now: float) -> T | None:
        """Let *guest* wait for its request; return, and forget, who must go for it.

        A guest that waits already goes on with a new time.
        """
        self.leave(guest)
        crowded = self._oldest() if len(self._requests) >= self._most else None
        if crowded is not None:
            self.leave(crowded)
        self._requests[guest] = now + self._request_s
        return crowded

    def greet(self, guest: T, now: float) -> None:
        """*guest* is connected, TLS and all: its first byte may come from now on."""
        if guest in self._requests:
            self._silent.pop(guest, None)
            self._silent[guest] = now + self._first_byte_s

    def hear(self, guest: T) -> None:
        """*guest*'s first byte came."""
        self._silent.pop(guest, None)

    def leave(self, guest: T) -> None:
        """*guest*'s request is complete, or it has gone: forget it."""
        self._requests.pop(guest, None)
        self._silent.pop(guest, None)

    def overdue(self, now: float) -> Iterator[tuple[T, Overdue]]:
        """Yield, and forget, whose time is over."""
        for waiting, reason in ((self._silent, Overdue.FIRST_BYTE), (self._requests, Overdue.REQUEST)):
            while waiting and waiting[guest := next(iter(waiting))] <= now:
                self.leave(guest)
                yield guest, reason

    @property
    def due(self) -> float | None:
        """When the next one's time is over; None: nobody waits."""
        return min((next(iter(w.values())) for w in (self._silent, self._requests) if w), default=None)

    def _oldest(self) -> T | None:
        return next(iter(self._requests), None)
