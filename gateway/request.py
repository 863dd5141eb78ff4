"""A request: one `subscribe` command on its way to being answered in full.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gateway.commands import Subscribe
from gateway.frames import Rejection
from services.market.symbol import Symbol

if TYPE_CHECKING:
    from gateway.client import Client
    from gateway.commands import Wish

PATIENCE: Final = 10.0
"""Seconds after which what is not bound is rejected as `feed_unavailable` (`docs/protocol.md`)."""
PART: Final = 200
"""Most symbols in one `subscribed` frame (`docs/protocol.md`)."""
GATHER: Final = 0.05
"""Seconds that bound symbols wait for others of the same command, so that a long list is a few frames."""


class Request:
    """What of a command is still open, what can be answered, and until when."""

    __slots__ = ("client", "command", "deadline", "gathering", "open", "ready", "rejected")

    def __init__(self, client: Client, command: Wish, symbols: Iterable[Symbol], now: float) -> None:
        self.client = client
        self.command = command
        self.deadline = now + PATIENCE
        self.open: dict[Symbol, None] = dict.fromkeys(symbols)
        """Neither bound nor rejected yet."""
        self.ready: dict[Symbol, None] = {}
        """Bound, not answered yet."""
        self.rejected: dict[Symbol, Rejection] = {}
        self.gathering = False

    def bound(self, symbol: Symbol) -> None:
        """The symbol's ticks come from now on."""
        if symbol in self.open:
            del self.open[symbol]
            self.ready[symbol] = None

    def reject(self, symbol: Symbol, reason: Rejection) -> None:
        """The symbol will not be followed."""
        self.open.pop(symbol, None)
        self.ready.pop(symbol, None)
        self.rejected[symbol] = reason

    @property
    def names(self) -> tuple[Symbol, ...]:
        """What it still asks for."""
        return (*self.open, *self.ready)

    @property
    def answered(self) -> bool:
        """Whether nothing of it is left."""
        return not (self.open or self.ready or self.rejected)

    @property
    def full(self) -> bool:
        """Whether a `subscribed` frame should go now rather than wait for more."""
        return not self.open or len(self.ready) + len(self.rejected) >= PART

    @property
    def step(self) -> int | None:
        """The step of the candles that it is about; None: it is about ticks."""
        return None if isinstance(self.command, Subscribe) else self.command.step

    def asks(self, symbol: Symbol, step: int | None) -> bool:
        """Whether it still asks for the candles of *symbol* with *step*, or (None) for its ticks."""
        return (symbol in self.open or symbol in self.ready) and self.step == step

    def follows(self, symbol: Symbol) -> bool:
        """Whether its client has already what it asks for."""
        client, step = self.client, self.step
        return symbol in client.followers if step is None else (symbol, step) in client.candles

    def part(self) -> tuple[list[Symbol], dict[Symbol, Rejection], int]:
        """Take at most `PART` names out: bound ones, rejected ones, and how many are left."""
        ready = list(self.ready)[:PART]
        rejected = dict(list(self.rejected.items())[: PART - len(ready)])
        for symbol in ready:
            del self.ready[symbol]
        for symbol in rejected:
            del self.rejected[symbol]
        return ready, rejected, len(self.open) + len(self.ready) + len(self.rejected)
