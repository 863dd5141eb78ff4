"""A client as the hub knows it: an outbox, and what it follows.  Pure."""

from __future__ import annotations

from gateway.commands import Subscribe
from gateway.follower import Follower
from gateway.outbox import Outbox
from gateway.request import Request
from services.market.symbol import Symbol


class Client:
    """One connected client; sessions treat it as opaque."""

    __slots__ = ("everything", "followers", "look_at", "max_symbols", "outbox", "requests")

    def __init__(self, outbox: Outbox, max_symbols: int) -> None:
        self.outbox = outbox
        self.max_symbols = max_symbols
        self.followers: dict[Symbol, Follower] = {}
        self.requests: dict[Request, None] = {}
        """Subscribe commands that are not answered in full, oldest first."""
        self.look_at: float | None = None
        """When its requests are looked at for their deadline: one entry on the agenda, however many there were."""
        self.everything: Subscribe | None = None
        """The command that asked for the whole directory and what joins it."""

    @property
    def subscriptions(self) -> int:
        """How many symbols it follows."""
        return len(self.followers)

    def pending(self, symbol: Symbol) -> Request | None:
        """The newest request that has *symbol* open or not answered yet."""
        for request in reversed(self.requests):
            if symbol in request.open or symbol in request.ready:
                return request
        return None

    @property
    def names(self) -> set[Symbol]:
        """Every symbol that it follows or has asked for."""
        asked = {s for request in self.requests for s in (*request.open, *request.ready)}
        return asked | self.followers.keys()
