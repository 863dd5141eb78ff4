"""Where a client stands in each symbol, and what became of the ticks.  Imports nothing of Tickwire's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

NOTHING: Final = -1


class Position(NamedTuple):
    """(epoch, seq): ordered by epoch, then by seq."""

    epoch: int
    seq: int


@dataclass(slots=True)
class Account:
    """One symbol's ticks, all of them: *missing* by reason; *open* counts gaps whose end nobody could name."""

    delivered: int = 0
    snapshots: int = 0
    conflated: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    left: dict[int, int] = field(default_factory=dict)
    """Where each earlier epoch was left by an `epoch` frame while not conflating."""


@dataclass(slots=True)
class Follow:
    """One symbol.  *next* is the seq that must come, `NOTHING` where no tick may; then *kept* is the cursor."""

    next: int = NOTHING
    epoch: int = 0
    kept: Position | None = None
    subscribed: bool = False
    wanted: bool = False
    """Subscribed, or was when the connection ended."""
    conflates: bool = False
    gap: tuple[str, Position] | None = None
    """Reason and last position before a gap to null."""
    account: Account = field(default_factory=Account)

    @property
    def cursor(self) -> Position | None:
        """The last position accounted for."""
        return self.kept if self.next == NOTHING else Position(self.epoch, self.next - 1)

    def move(self, cursor: Position | None) -> None:
        """Put the cursor of a subscribed symbol."""
        self.kept, self.next = None, NOTHING
        if cursor is not None:
            self.epoch, self.next = cursor.epoch, cursor.seq + 1

    def end(self, *, wanted: bool) -> None:
        """Let nothing follow, and keep the cursor for a resume."""
        self.wanted = wanted
        self.kept, self.next, self.subscribed, self.conflates = self.cursor, NOTHING, False, False
