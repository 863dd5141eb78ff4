"""How the clients and the rings of a gateway stand at one moment.  Pure; read by metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.client import Client
from gateway.line import Line
from gateway.outbox import Outbox


class Standing(NamedTuple):
    """Clients that do not simply get every tick at once, and what is kept for all."""

    conflating: int = 0
    """Clients that conflate at least one symbol: they asked for it, or are slow."""
    slow: int = 0
    """Clients that conflate at least one symbol since they did not keep up."""
    behind: int = 0
    """Clients that lack ticks of at least one symbol, and wait for them."""
    ring_ticks: int = 0
    ring_bytes: int = 0


def standing(clients: Iterable[Client], lines: Iterable[Line]) -> Standing:
    """Count; takes 0.1 µs per client and 0.3 µs per symbol."""
    conflating = slow = ticks = size = 0
    behind: set[Outbox] = set()
    for client in clients:
        outbox = client.outbox
        if outbox.conflating:
            conflating += 1
            slow += outbox.slowed > 0
    for line in lines:
        recovery = line.recovery
        ticks += len(recovery.tape.ring)
        size += recovery.tape.size
        behind.update(follower.outbox for follower in recovery.behind)
    return Standing(conflating, slow, len(behind), ticks, size)
