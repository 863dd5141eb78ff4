"""How long one connection may stay: its token's time, its own age, and the wait for a first token.  Pure.

Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from enum import Enum, auto
from math import inf
from typing import Final

WARNING_S: Final = 60.0
"""Seconds before a token's end at which its bearer is told (`docs/protocol.md`, `authorized` without an id)."""


class Turn(Enum):
    """What a connection's time asks for."""

    NOTHING = auto()
    WARN = auto()
    """The token ends within `WARNING_S`: said once per token."""
    EXPIRED = auto()
    OLD = auto()
    """The connection has had its time: the client may come back at once."""
    UNASKED = auto()
    """No token came in time."""


class Stay:
    """One connection's deadlines.  *old_at*: when it has had its time; *token_by*: when a token must be there."""

    __slots__ = ("_expires", "_old_at", "_token_by", "_warn_at")

    def __init__(self, *, old_at: float, token_by: float = inf) -> None:
        self._old_at, self._token_by = old_at, token_by
        self._expires = self._warn_at = inf

    def grant(self, expires: float) -> None:
        """A token is there, which holds until *expires* (inf: for ever)."""
        self._token_by = inf
        self._expires, self._warn_at = expires, expires - WARNING_S

    @property
    def next(self) -> float:
        """When `look` has something to say."""
        return min(self._warn_at, self._expires, self._old_at, self._token_by)

    def look(self, now: float) -> Turn:
        """Return what is due at *now*; the end comes before a warning of it."""
        if now >= self._token_by:
            return Turn.UNASKED
        if now >= self._expires:
            return Turn.EXPIRED
        if now >= self._old_at:
            return Turn.OLD
        if now >= self._warn_at:
            self._warn_at = inf
            return Turn.WARN
        return Turn.NOTHING
