"""Which symbols the broker keeps live queues for, asked of the broker itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.brokers import Broker
from tests.witness import EXCHANGE, WITNESS

LOG_QUEUE: Final = "tickwire.log"
SHARED: Final = (
    LOG_QUEUE,
    "tickwire.candles",
    "tickwire.history",
    "tickwire.lease",
    "tickwire.revocations",
    WITNESS,
)
"""How the names of queues begin that several processes consume, or a witness alone."""


APART: Final = (LOG_QUEUE, "tickwire.revocations", "tickwire.ticket.", WITNESS)
"""How the names of queues begin that other tests may have left on the broker."""


def followed(broker: Broker) -> Counter[str]:
    """Return how many live queues are bound to each symbol's ticks, by symbol."""
    return Counter(symbol for symbol, _ in _bindings(broker))


def queues_of(broker: Broker, symbol: str) -> list[str]:
    """Return the names of the live queues that are bound to the ticks of *symbol*."""
    return [queue for bound, queue in _bindings(broker) if bound == symbol]


def _bindings(broker: Broker) -> Iterator[tuple[str, str]]:
    for line in broker.ctl("list_bindings", "source_name", "destination_name", "routing_key").splitlines():
        source, destination, key = (*line.split("\t"), "", "")[:3]
        if source == EXCHANGE and destination != LOG_QUEUE and not destination.startswith(WITNESS):
            yield key.removeprefix("tick."), destination


def consumers(broker: Broker) -> Counter[int]:
    """Return how many queues have so many consumers, by that number, without `SHARED` and `APART` ones."""
    found: Counter[int] = Counter()
    for line in broker.ctl("list_queues", "name", "consumers").splitlines()[1:]:
        name, _, count = line.partition("\t")
        if not name.startswith(SHARED + APART):
            found[int(count)] += 1
    return found


def queues(broker: Broker) -> list[str]:
    """Return the names of all queues but the logs, those of a witness, and tickets, which end by themselves."""
    names = broker.ctl("list_queues", "name").splitlines()[1:]
    return [name for name in names if not name.startswith(APART)]
