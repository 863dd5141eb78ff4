"""A client as the hub knows it: an outbox, and what it follows.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.admission.entitlement import ANYBODY, Entitlement
from gateway.commands import Subscribe
from gateway.follower import Follower
from gateway.frames import Rejection
from gateway.outbox import ROOM_BYTES, Outbox
from gateway.request import Request
from services.market.position import Position
from services.market.symbol import Symbol

if TYPE_CHECKING:
    from gateway.candles.viewer import Viewer


class Client:
    """One connected client; sessions treat it as opaque."""

    __slots__ = (
        "candles",
        "entitlement",
        "everything",
        "followers",
        "look_at",
        "most",
        "outbox",
        "owed",
        "requests",
        "room",
    )

    def __init__(self, outbox: Outbox, max_symbols: int, entitlement: Entitlement = ANYBODY) -> None:
        self.outbox = outbox
        self.most = max_symbols
        """Symbols that any client may follow at once."""
        self.entitlement = entitlement
        self.followers: dict[Symbol, Follower] = {}
        self.candles: dict[tuple[Symbol, int], Viewer] = {}
        """The charts that it follows, by symbol and step (s)."""
        self.owed: dict[Viewer, None] = {}
        """Of these, those that it must be told of once there is room."""
        self.room = ROOM_BYTES
        """Bytes of candles that may be added to what waits in its outbox."""
        self.requests: dict[Request, None] = {}
        """Subscribe commands that are not answered in full, oldest first."""
        self.look_at: float | None = None
        """When its requests are looked at for their deadline: one entry on the agenda, however many there were."""
        self.everything: Subscribe | None = None
        """The command that asked for the whole directory and what joins it."""

    @property
    def max_symbols(self) -> int:
        """Symbols that it may follow at once."""
        claimed = self.entitlement.max_symbols
        return self.most if claimed is None else min(self.most, claimed)

    def rejection(self, symbol: Symbol) -> Rejection | None:
        """Why it may not follow *symbol*; None: it may."""
        if self.entitlement.delayed:
            return Rejection.DELAYED_UNAVAILABLE
        return None if self.entitlement.allows(symbol) else Rejection.NOT_ENTITLED

    def rate(self, wanted: float | None) -> float | None:
        """Return the rate in force where the client wants *wanted* ticks per second and symbol (None: all)."""
        rates = [rate for rate in (wanted, self.entitlement.max_rate) if rate is not None]
        return min(rates, default=None)

    @property
    def subscriptions(self) -> int:
        """How many symbols it follows, those counted twice whose ticks and candles it follows."""
        return len(self.followers) + len(self.candles)

    def stands(self, symbol: Symbol, position: Position) -> bool:
        """Whether it has moved in *symbol* from *position*, where it began, or lacks nothing behind it."""
        follower = self.followers.get(symbol)
        return follower is not None and (follower.cursor != position or follower.settled)

    @property
    def names(self) -> set[Symbol]:
        """Every symbol that it follows or has asked for."""
        asked = {s for request in self.requests for s in (*request.open, *request.ready)}
        return asked | self.followers.keys() | {symbol for symbol, _ in self.candles}
