"""How a gateway divides the symbols that it follows among its live queues: one each, or K buckets (PURE).

A queue per symbol keeps symbols apart, and costs the broker gateways x symbols queues.  Buckets cost it at most
gateways x K, whatever the symbols; each gateway has its own K, since a bucket is bound to the routing key of every
symbol in it, and no producer knows of buckets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from zlib import crc32

from services.broker.topology import LIVE_ARGUMENTS, Argument
from services.market.symbol import Symbol

MAX_BUCKETS: Final = 1_024
"""Most buckets of one gateway: beyond them a queue per symbol is hardly more."""
SHARED_LENGTH: Final = 100_000
"""Messages that all buckets of a gateway have room for, besides a symbol's 1,000 in each: 50,000 a second, the
most that a broker carried here, for the 2 s that a message lives."""
QUEUES_ALLOWED: Final = ("symbol", f"bucket:K, K from 1 to {MAX_BUCKETS}")
"""What `parse_queues` takes, for an error message."""

_BUCKETS: Final = re.compile(r"bucket:([1-9][0-9]{0,3})").fullmatch

Slot = Symbol | int
"""What a queue is for: its symbol, or the number of its bucket."""


class Queues(NamedTuple):
    """How symbols are divided among queues."""

    buckets: int = 0
    """So many queues share all symbols; 0: each symbol has its own."""

    def slot(self, symbol: Symbol) -> Slot:
        """Return which queue *symbol* comes through: in every process and run the same."""
        return crc32(symbol.encode()) % self.buckets if self.buckets else symbol

    @property
    def arguments(self) -> Mapping[str, Argument]:
        """Of each queue: a bucket's is longer, by its share of `SHARED_LENGTH`, and no message lives longer."""
        if not self.buckets:
            return LIVE_ARGUMENTS
        length = int(LIVE_ARGUMENTS["x-max-length"]) + -(-SHARED_LENGTH // self.buckets)
        return {**LIVE_ARGUMENTS, "x-max-length": length}

    def __str__(self) -> str:
        return f"bucket:{self.buckets}" if self.buckets else "symbol"


PER_SYMBOL: Final = Queues()


def parse_queues(text: str) -> Queues:
    """Return what `symbol` or `bucket:K` says.

    Raises:
        ValueError: it is neither, or K is not from 1 to `MAX_BUCKETS`.
    """
    if text == "symbol":
        return PER_SYMBOL
    found = _BUCKETS(text)
    if found is None or int(found[1]) > MAX_BUCKETS:
        raise ValueError(f"not {' or '.join(QUEUES_ALLOWED)}")
    return Queues(int(found[1]))
