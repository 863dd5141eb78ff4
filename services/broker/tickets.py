"""Tickets that can be used once, on any gateway: the broker has each until somebody takes it."""

from __future__ import annotations

from typing import Final, Protocol

TICKET_S: Final = 30.0
"""Seconds until a ticket that nobody used is gone."""


class TicketStore(Protocol):
    """One-time names, shared by all gateways of a broker."""

    async def run(self) -> None:
        """Keep a connection; ends by cancellation only."""
        ...

    async def put(self, name: str) -> None:
        """Return once *name* (32 hexadecimal digits) can be taken, once, for `TICKET_S` seconds.

        Raises:
            BrokerUnavailable: not connected, or no answer within 2 s.
        """
        ...

    async def take(self, name: str) -> bool:
        """Take *name*; False: somebody has taken it, its time is over, or it never was.

        Of any number of calls, on any gateways, at most one returns True.

        Raises:
            BrokerUnavailable: as `put`; nobody knows then whether it was taken.
        """
        ...
