"""The lease of a shard: who of several producers may publish.

At most one holder as far as the broker knows.  Two may believe it for a moment (a frozen one that wakes up), so
a holder's epoch is what readers trust: it is larger with each new holder.
"""

from __future__ import annotations

from typing import Protocol


class LeaseListener(Protocol):
    """Who wants to hold a lease.  The rules of `services.broker.ports` for callbacks hold."""

    def on_waiting(self) -> None:
        """The broker was asked for the lease on a new connection: it is not ours until `on_held`."""
        ...

    def on_held(self, epoch: int) -> None:
        """The lease is ours.  *epoch*: the largest one that a holder has written into it; 0: none yet.

        Said again where the lease turns out to hold a later epoch than was said or written.
        """
        ...

    def on_lost(self) -> None:
        """It is not ours any more, or nobody knows: publish nothing until `on_held`."""
        ...


class Lease(Protocol):
    """The lease of one shard."""

    async def run(self, listener: LeaseListener) -> None:
        """Wait for the lease, hold it, and wait again after it was lost; ends by cancellation only.

        Cancelling gives the lease back at once.
        """
        ...

    async def write(self, epoch: int) -> None:
        """Return once whoever holds the lease next will be told *epoch*, which is above all told before.

        Raises:
            BrokerUnavailable: the lease is not held, or was lost meanwhile.
        """
        ...


class SoleLease:
    """The lease of a producer that shares its broker with no other."""

    async def run(self, listener: LeaseListener) -> None:
        """It is ours at once and stays so."""
        listener.on_held(0)

    async def write(self, epoch: int) -> None:
        """Nobody comes next."""
