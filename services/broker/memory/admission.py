"""Revocations and tickets on the in-memory broker."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from services.broker.memory.link import Link
from services.broker.ports import LostReason
from services.broker.revocationlog import encode_revocations
from services.broker.revocations import Revocation, RevocationListener
from services.broker.stubs import WAITING, Stubs, is_ticket
from services.broker.tickets import TICKET_S
from services.errors import BadInput, BrokerUnavailable

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker

REVOCATIONS: Final = 10_000
"""Most revocations that are kept: about 2 MB."""


class Drawer:
    """What the broker keeps: the revocations, and each ticket with the time of its end."""

    def __init__(self) -> None:
        self.revocations: deque[Revocation] = deque(maxlen=REVOCATIONS)
        self._tickets: dict[str, float] = {}

    def put(self, name: str, now: float) -> None:
        """Keep a ticket, and drop those whose time is over."""
        self._tickets = {ticket: end for ticket, end in self._tickets.items() if end > now}
        self._tickets[name] = now + TICKET_S

    def take(self, name: str, now: float) -> bool:
        """Hand a ticket out, if it is there."""
        return self._tickets.pop(name, now) > now


class MemoryAdmission(Link):
    """An `Admission` of the in-memory broker."""

    def __init__(self, broker: MemoryBroker, name: str, drawer: Drawer, most: int = WAITING) -> None:
        super().__init__(broker, name)
        self._drawer, self._stubs = drawer, Stubs(most)
        self._listener: RevocationListener | None = None

    async def run(self, listener: RevocationListener | None = None) -> None:
        """See `Admission.run`."""
        self._listener = listener
        await self._supervise(self)

    async def put(self, name: str) -> None:
        """See `TicketStore.put`.

        Raises:
            BadInput: *name* is no ticket's.
        """
        if not is_ticket(name):
            raise BadInput("a ticket's name is 32 hexadecimal digits")
        if not self._stubs.add(self._broker.clock.monotonic()):
            raise BrokerUnavailable("as many tickets wait as one gateway may have")
        self._required()
        self._drawer.put(name, self._broker.clock.monotonic())
        await self._answered()

    async def take(self, name: str) -> bool:
        """See `TicketStore.take`."""
        self._required()
        taken = self._drawer.take(name, self._broker.clock.monotonic())
        await self._answered()
        return taken

    def hear(self, revocations: Sequence[Revocation]) -> None:
        """Tell the listener of *revocations* in the loop's next turn."""
        listener = self._listener
        if listener is not None and revocations:
            self._later(lambda: listener.on_revoked(revocations))

    def on_connected(self) -> None:
        """See `LinkListener`."""
        if self._listener is not None:
            self._listener.on_connected()
        self.hear(tuple(self._drawer.revocations))

    def on_lost(self, reason: LostReason) -> None:
        """See `LinkListener`."""
        if self._listener is not None:
            self._listener.on_lost(reason)

    def _forget(self) -> None:
        """What is kept belongs to the broker."""


class MemoryRevoker:
    """A `Revoker` of the in-memory broker."""

    def __init__(self, broker: MemoryBroker, drawer: Drawer) -> None:
        self._broker, self._drawer = broker, drawer

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """See `Revoker.revoke`.

        Raises:
            BadInput: a revocation is none.
        """
        encode_revocations(revocations)  # refuses what the other broker would refuse
        if self._broker.refuses():
            raise BrokerUnavailable("the in-memory broker is down")
        self._drawer.revocations.extend(revocations)
        for link in [*self._broker.links]:
            if isinstance(link, MemoryAdmission):
                link.hear(revocations)
