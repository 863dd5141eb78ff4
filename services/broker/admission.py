"""What a gateway keeps on a broker for letting people in: revocations and tickets, over one connection."""

from __future__ import annotations

from typing import Protocol

from services.broker.revocations import RevocationListener, RevocationLog
from services.broker.tickets import TicketStore


class Admission(RevocationLog, TicketStore, Protocol):
    """Both ports on one connection; `run` runs once, for both."""

    async def run(self, listener: RevocationListener | None = None) -> None:
        """See the ports; without a *listener* no revocation is read."""
        ...
