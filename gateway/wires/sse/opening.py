"""The opening of a stream: what its first line can promise of a resume, before a byte of it is sent.  Pure.

`Tickwire-Resumed: all` is a promise: every symbol goes on right behind the client's position.  So the head waits
until each of them has either moved or lacks nothing, at most `OPENING_S`.  What cannot be known by then is called
`gap`; the events say exactly what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from gateway.frames import Frame, Gap, Rejection, Subscribed
from gateway.wires.problem import (
    DELAYED_UNAVAILABLE,
    FEED_UNAVAILABLE,
    NOT_ENTITLED,
    UNKNOWN_SYMBOL,
    Kind,
    Problem,
)
from gateway.wires.sse.wish import Wish
from services.market.position import Position
from services.market.symbol import Symbol

OPENING_S: Final = 2.0
"""Seconds that the head of an answer waits to learn what can be promised."""

Stands = Callable[[Symbol, Position], bool]
"""Whether a symbol's follower has moved from that position, or lacks nothing behind it."""

_NAMED: Final = 5
"""Most symbols that a problem's sentence names; its list has them all."""
_KINDS: Final[dict[Rejection, tuple[Kind, str]]] = {
    Rejection.UNKNOWN_SYMBOL: (UNKNOWN_SYMBOL, "not in the directory"),
    Rejection.NOT_ENTITLED: (NOT_ENTITLED, "not named by the token"),
    Rejection.DELAYED_UNAVAILABLE: (DELAYED_UNAVAILABLE, "delayed for this token, and there is no delayed data"),
    Rejection.FEED_UNAVAILABLE: (FEED_UNAVAILABLE, "not to be had from the market feed at the moment"),
}


class Resumed(StrEnum):
    """What became of the client's positions: the header `Tickwire-Resumed`."""

    ALL = "all"
    """Each symbol goes on right behind its position."""
    GAP = "gap"
    """Not each, or not in time to say so."""
    NONE = "none"
    """There was none: no id, or one of another request."""


class Opening:
    """The opening of the stream that *wish* asks for; *now*: seconds of one clock that never goes back."""

    __slots__ = ("_accepted", "_gap", "_open", "_rejected", "_seen", "_until", "_wish", "late")

    def __init__(self, wish: Wish, now: float) -> None:
        self._wish, self._until = wish, now + OPENING_S
        self._open = set(wish.positions)
        """Symbols whose positions are in question."""
        self._rejected: dict[Symbol, Rejection] = {}
        self._accepted = self._gap = self.late = False
        self._seen = 0

    def look(self, entries: Sequence[bytes | Frame], stands: Stands, now: float) -> Resumed | Problem | None:
        """Return what the head says; None: look again.  *entries*: all that waits for the client so far."""
        for entry in entries[self._seen :]:
            self._note(entry)
        self._seen = len(entries)
        if len(self._rejected) == len(self._wish.symbols):
            return _problem(self._rejected)
        positions = self._wish.positions
        self._open = {
            symbol for symbol in self._open - self._rejected.keys() if not stands(symbol, positions[symbol])
        }
        if now >= self._until:
            self.late = bool(self._open) or not self._accepted
            self._gap = self._gap or self.late
        elif not self._accepted or (self._open and not self._gap):
            return None
        if not positions:
            return Resumed.NONE
        return Resumed.GAP if self._gap else Resumed.ALL

    def _note(self, entry: bytes | Frame) -> None:
        match entry:
            case Subscribed(symbols=symbols, rejected=rejected):
                self._accepted = self._accepted or bool(symbols)
                self._rejected.update(rejected)
                self._gap = self._gap or not rejected.keys().isdisjoint(self._wish.positions)
            case Gap(symbol=symbol):
                self._gap = self._gap or symbol in self._wish.positions
            case _:
                pass


def _problem(rejected: dict[Symbol, Rejection]) -> Problem:
    """Return why nothing at all can be followed: the reason that stands first in the table."""
    reasons = set(rejected.values())
    reason = next((reason for reason in _KINDS if reason in reasons), Rejection.FEED_UNAVAILABLE)
    kind, text = _KINDS[reason]
    names = sorted(symbol for symbol, why in rejected.items() if why is reason)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    verb = "is" if len(names) == 1 else "are"
    detail = f"{', '.join(names[:_NAMED])}{more} {verb} {text}."
    return Problem(kind, detail, parameter="symbols", symbols=names)
