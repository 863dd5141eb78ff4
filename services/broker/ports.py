"""What Tickwire asks of a broker, and what a broker promises in return.

The ports speak of following symbols and of publishing messages, never of queues.  Two adapters keep them:
`services.broker.memory` and `services.broker.rabbitmq`; `tests/contract` proves both with one suite.

Rules for every callback of a listener: it is called on the event loop's thread, never re-entrantly, and must
neither await nor raise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from services.errors import MalformedMessage
from services.market.control import Control
from services.market.symbol import Symbol
from services.market.wire import TickMessage


class LostReason(StrEnum):
    """Why a connection to the broker ended, or could not be made: a closed set, used as a metric label."""

    CLOSED = "closed"
    """The broker closed it in an orderly way."""
    BROKEN = "broken"
    """The transport broke."""
    SILENT = "silent"
    """Nothing was received for three heartbeats, or a probe failed."""
    REFUSED = "refused"
    """Nobody listens, or the address cannot be reached."""
    AUTH = "auth"
    """The broker does not accept the user, the password or the virtual host."""
    TLS = "tls"
    """The broker's certificate was not accepted, or the handshake failed."""
    PROTOCOL = "protocol"
    """The broker rejected what was asked (topology, arguments)."""


# ------------------------------------------------------------------------------------------------ receiving


class SourceListener(Protocol):
    """Who receives from a `TickSource`."""

    def on_connected(self) -> None:
        """A connection stands; no symbol is followed on it yet, control messages already come."""
        ...

    def on_lost(self, reason: LostReason) -> None:
        """The connection is gone, and with it every followed symbol.  Also called for each failed attempt."""
        ...

    def on_ticks(self, messages: Sequence[TickMessage]) -> None:
        """Messages that arrived together.  Per symbol in the order published, except where one is republished.

        One that was published with a trace context is a `TracedMessage`.
        """
        ...

    def on_control(self, message: Control) -> None:
        """A heartbeat or a part of the directory."""
        ...

    def on_malformed(self, error: MalformedMessage) -> None:
        """A message was skipped because no codec of ours wrote it."""
        ...

    def on_unfollowed(self, symbol: Symbol) -> None:
        """The broker ended this one symbol's flow; the connection stands.  Follow it again to go on."""
        ...


class TickSource(Protocol):
    """Live ticks of the followed symbols, and every control message.

    Guarantees.  A tick published after `follow` returned is delivered once, or lost without notice (queues are
    bounded; the positions show the hole).  A republished message may be delivered again.  Between symbols there
    is no order.  While disconnected nothing is kept.
    """

    async def run(self, listener: SourceListener) -> None:
        """Connect, deliver, and reconnect for ever (full jitter, base 0.1 s, cap 2 s); ends by cancellation only.

        Cancelling closes the connection before it returns.
        """
        ...

    async def follow(self, symbol: Symbol) -> None:
        """Return once ticks of *symbol* published from now on will be delivered.  Already followed: no effect.

        Raises:
            BrokerUnavailable: not connected, or the connection ended meanwhile.
        """
        ...

    async def unfollow(self, symbol: Symbol) -> None:
        """Return once the broker keeps nothing for *symbol* here.  Not followed, or not connected: no effect.

        Raises:
            BrokerUnavailable: the connection ended meanwhile; nothing is kept then either.
        """
        ...

    async def rebind(self, symbol: Symbol) -> None:
        """Attach a followed *symbol* to the ticks again: an exchange deleted and re-created forgets it silently.

        Raises:
            BrokerUnavailable: as `follow`.
        """
        ...

    async def probe(self) -> bool:
        """Ask the broker for a sign of life, at most 2 s.  False: the connection has been ended."""
        ...

    def rest(self, seconds: float) -> None:
        """Read nothing for so long, so that what comes meanwhile arrives together.

        A hint: an implementation to which one large read is worth no more than many small ones may ignore it.
        """
        ...

    @property
    def following(self) -> int:
        """How many symbols the broker keeps something for on behalf of this source."""
        ...


# ----------------------------------------------------------------------------------------------- publishing


class Route(StrEnum):
    """Where a message goes."""

    TICK = "tick"
    """To whoever follows the symbol, and to the log."""
    LAST = "last"
    """To the log only: the last tick of a silent symbol, again."""
    CONTROL = "control"
    """To every gateway and history."""


class Outgoing(NamedTuple):
    """One message to publish; *symbol* is empty and *identity* None for control messages."""

    route: Route
    symbol: str
    identity: str | None
    body: bytes


Contexts = Mapping[int, str]
"""The `traceparent` of a message by its index among those published together."""
NO_CONTEXTS: Final[Contexts] = MappingProxyType({})


class SinkListener(Protocol):
    """Who publishes through a `TickSink`."""

    def on_connected(self) -> None:
        """A connection stands, the exchanges and the log are declared; numbering starts at 1."""
        ...

    def on_lost(self, reason: LostReason) -> None:
        """The connection (or attempt) is gone; what is unsettled will never be settled."""
        ...

    def on_settled(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """The broker answered for message *number*, or for all up to it: taken over, or refused."""
        ...

    def on_blocked(self, *, blocked: bool) -> None:
        """The broker is out of memory or disk and reads nothing more, or does again."""
        ...


class TickSink(Protocol):
    """Publishes messages in order, with confirmation.

    Guarantees.  Messages of one connection reach the log and each follower in the order published.  A settled and
    accepted message is in the log.  An unsettled one may or may not be.
    """

    async def run(self, listener: SinkListener) -> None:
        """Connect, declare, and reconnect for ever; ends by cancellation only, which closes the connection."""
        ...

    def publish(self, messages: Sequence[Outgoing], contexts: Contexts = NO_CONTEXTS) -> int:
        """Write *messages* at once and return the number of the last one; each gets the next number.

        *contexts*: of the few that are traced, if any.  The caller bounds what is unsettled: this never waits.

        Raises:
            BrokerUnavailable: not connected; nothing was written.
        """
        ...

    def reconnect(self) -> None:
        """End the connection, if there is one; `run` makes another.  For a broker that answers no more."""
        ...

    async def newest_epoch(self, symbols: Collection[Symbol]) -> int | None:
        """The largest epoch among the newest entries of the log for *symbols*; None where it has none.

        Waits for a connection and for the log; a restarting broker means wait.  Works while `run` runs.
        """
        ...
