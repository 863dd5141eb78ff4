"""What Tickwire declares on a broker: names and arguments, and nothing that talks to one.

A declaration with other arguments than those a broker already holds is refused (406), so a change here needs
new names.  Legal on RabbitMQ 3.10 to 4.3: durable, or exclusive and named by the server; nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from services.broker.ports import Route
from services.market.symbol import Symbol

Argument = int | str


class Exchange(NamedTuple):
    """A durable exchange."""

    name: str
    kind: str


TICKS: Final = Exchange("tickwire.ticks", "topic")
"""Every tick, by `tick.<SYMBOL>` and `last.<SYMBOL>`."""
CONTROL: Final = Exchange("tickwire.control", "fanout")
"""Heartbeats and directories."""
EXCHANGES: Final = (TICKS, CONTROL)
RPC: Final = Exchange("tickwire.rpc", "direct")
"""Requests to history by `HISTORY_KEY`, replies by the name of the asker's queue."""
CANDLES: Final = Exchange("tickwire.candles", "fanout")
"""Finished candles, into the candle log."""

LEASE: Final = Exchange("tickwire.lease", "direct")
"""The lease messages, by shard: a producer's user needs no default exchange."""
LEASE_ARGUMENTS: Final[Mapping[str, Argument]] = {"x-single-active-consumer": True}
"""Of a shard's lease queue: the broker hands its message to one consumer, the others wait their turn."""
CLUSTER: Final = 3
"""Addresses of a broker from which on it is taken for a cluster."""

LOG: Final = "tickwire.log"
LOG_KEYS: Final = ("tick.#", "last.#")
LOG_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-queue-type": "stream",
    "x-max-age": "30m",
    "x-max-length-bytes": 2 * 1024**3,
    # Age and length are kept by whole segments; the default of 500 MB would hold far more than 30 min.
    "x-stream-max-segment-size-bytes": 64 * 1024**2,
}

LIVE_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-max-length": 1_000,
    "x-overflow": "drop-head",
    "x-message-ttl": 2_000,
}
"""Of a gateway's queue of one symbol: the newest thousand messages, none older than 2 s."""

CONTROL_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-max-length": 1_000,
    "x-max-length-bytes": 16 * 1024**2,  # a part of the directory is up to 100 KB
    "x-overflow": "drop-head",
    "x-message-ttl": 10_000,
}
"""Of a source's queue of control messages: everything is said again within 10 s."""

HISTORY: Final = "tickwire.history"
"""The queue of requests to history, shared by its replicas."""
HISTORY_KEY: Final = "history"
_HISTORY_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-max-length": 10_000,
    "x-overflow": "drop-head",
    "x-message-ttl": 500,  # whoever asked has given up by then
}

REPLIES_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-max-length": 1_000,
    "x-max-length-bytes": 16 * 1024**2,
    "x-overflow": "drop-head",
    "x-message-ttl": 500,  # a later reply would be dropped by the asker
}
"""Of an asker's queue of replies."""

CANDLE_LOG: Final = "tickwire.candles"
CANDLE_LOG_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-queue-type": "stream",
    "x-max-age": "2D",
    "x-max-length-bytes": 256 * 1024**2,
    "x-stream-max-segment-size-bytes": 16 * 1024**2,
}

REVOKE: Final = Exchange("tickwire.revoke", "fanout")
"""Revocations, into their log.

Not called like that: RabbitMQ's permissions go by name, and whoever binds the log would be let publish too.
"""
REVOCATION_LOG: Final = "tickwire.revocations"
REVOCATION_LOG_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-queue-type": "stream",
    "x-max-age": "8D",  # a token lives 7 days at most
    "x-max-length-bytes": 64 * 1024**2,
    "x-stream-max-segment-size-bytes": 1024**2,
}

TICKET_ARGUMENTS: Final[Mapping[str, Argument]] = {
    "x-expires": 30_000,
    "x-message-ttl": 30_000,
    "x-max-length": 1,
}
"""Of a ticket's queue.  It goes 30 s after it was last declared or asked for a message; the ticket goes 30 s after
it was put in, whatever happens to the queue."""


def history_arguments(addresses: int) -> Mapping[str, Argument]:
    """Return the arguments of `HISTORY` on a broker with so many *addresses*.

    A quorum queue in a cluster, where a durable classic one is gone with its node (404 from every node, measured
    on 3.10).
    """
    return {**_HISTORY_ARGUMENTS, **_kind(addresses)}


def exchange_of(route: Route) -> str:
    """Return the name of the exchange that *route* goes through."""
    return CONTROL.name if route is Route.CONTROL else TICKS.name


def routing_key(route: Route, symbol: str) -> str:
    """Return the routing key of a message; control messages have none."""
    return "" if route is Route.CONTROL else f"{route.value}.{symbol}"


def lease_queue(shard: str) -> str:
    """Return the name of the queue that holds the lease of *shard*."""
    return f"{LEASE.name}.{shard}"


def lease_arguments(nodes: int) -> dict[str, Argument]:
    """Return the arguments of a lease queue on a broker of *nodes* addresses."""
    return {**LEASE_ARGUMENTS, **_kind(nodes)}


def ticket_queue(name: str) -> str:
    """Return the name of the queue that holds the ticket *name*."""
    return f"tickwire.ticket.{name}"


def _kind(addresses: int) -> dict[str, Argument]:
    """What a shared queue is: a classic one is gone while its node is (404 from every node, measured on 3.10)."""
    return {"x-queue-type": "quorum"} if addresses >= CLUSTER else {}


def symbol_of(key: str) -> Symbol:
    """Return the symbol in a routing key of the log, which only our own producers write."""
    return Symbol(key.partition(".")[2])
