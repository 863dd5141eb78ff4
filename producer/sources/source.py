"""What the producer asks of a source of ticks.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from services.market.directory import Instrument
from services.market.tick import Tick


class Burst(NamedTuple):
    """Consecutive ticks of one symbol that are due together, oldest first, at least one."""

    ticks: list[Tick]
    first: int
    """The sequence of `ticks[0]`."""


class Last(NamedTuple):
    """Where an earlier run left a symbol: its last *price* (units of 10**-decimals) and the day's *volume*."""

    price: int
    volume: int


class Source(Protocol):
    """Ticks by schedule.  Offsets are microseconds since the run began; they never go back from call to call.

    The first tick of every symbol is due at offset 0: that fences every symbol and gives each a last price.
    """

    def instruments(self, since: int) -> Sequence[Instrument]:
        """What the directory says of each symbol; *since* is the start of the run, microseconds since 1970."""
        ...

    def due(self, until: int, base: int) -> Sequence[Burst]:
        """Make what is due up to offset *until*; a tick's `ts` is *base* plus its own offset."""
        ...

    def skip(self, until: int) -> int:
        """Consume the sequences due up to offset *until* without making their ticks; return how many."""
        ...

    def next_due(self) -> int:
        """An offset before which no further tick is due."""
        ...
