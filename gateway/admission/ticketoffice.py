"""Where one-time tickets are issued and used up."""

from __future__ import annotations

import secrets

from gateway.admission import ticket
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.entitlement import Entitlement
from services.broker.tickets import TicketStore
from services.runtime.clock import Clock


class TicketOffice:
    """Issues tickets that can be used once, on any gateway with the same *secret* and broker."""

    def __init__(self, store: TicketStore, secret: str, clock: Clock) -> None:
        self._store, self._secret, self._clock = store, secret, clock

    async def run(self) -> None:
        """Keep the connection that tickets need; ends by cancellation only."""
        await self._store.run()

    async def issue(self, entitlement: Entitlement) -> str:
        """Return a ticket with which somebody may do once, within 30 s, what *entitlement* says.

        Raises:
            TicketTooLong: *entitlement* names too many symbols.
            BrokerUnavailable: the broker has not confirmed the ticket.
        """
        name = secrets.token_hex(16)
        text = ticket.make(entitlement, self._secret, name, self._clock.wall_us() / 1e6)
        await self._store.put(name)
        return text

    async def redeem(self, text: str) -> Entitlement:
        """Use the ticket *text* up, and return what its bearer may do.

        Raises:
            TokenRefused: it lets nobody in, or nobody any more.
            BrokerUnavailable: nobody can tell at the moment.
        """
        name, entitlement = ticket.read(text, self._secret, self._clock.wall_us() / 1e6)
        if not await self._store.take(name):
            raise TokenRefused(Reason.USED)
        return entitlement
