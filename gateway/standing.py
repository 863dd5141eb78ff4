"""How the clients and the rings of a gateway stand at one moment.  Pure; read by metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.client import Client
from gateway.line import Line


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
    """Count; 10,000 clients take 1.2 ms, 100 symbols 0.02 ms."""
    conflating = slow = behind = ticks = size = 0
    for client in clients:
        outbox = client.outbox
        if outbox.conflating:
            conflating += 1
            slow += outbox.slowed > 0
        behind += outbox.behind > 0
    for line in lines:
        tape = line.recovery.tape
        ticks += len(tape.ring)
        size += tape.size
    return Standing(conflating, slow, behind, ticks, size)
