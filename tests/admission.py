"""Who may come in, as a test says it: an authority whose tokens are a table, and a reception around it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.census import Census
from gateway.admission.doorkeeper import Doorkeeper
from gateway.admission.entitlement import Entitlement
from gateway.admission.origin import parse_origins
from gateway.admission.reception import Reception
from gateway.admission.revoked import Revoked
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from services.errors import KeysUnavailable

Known = Mapping[str, Entitlement | Reason]


class ScriptedAuthority:
    """Knows the tokens of a table; None: anybody may come in."""

    def __init__(self, known: Known | None) -> None:
        self.known = known
        self.open = asyncio.Event()
        """While it is cleared, every answer waits."""
        self.open.set()
        self.asked = 0
        self.down = False

    @property
    def required(self) -> bool:
        """Whether a token must be shown."""
        return self.known is not None

    async def check(self, token: str) -> Entitlement:
        """Look *token* up."""
        self.asked += 1
        await self.open.wait()
        if self.down:
            raise KeysUnavailable("no keys")
        if self.known is None:
            return Entitlement(prefixes=("",))
        found = self.known.get(token, Reason.SIGNATURE)
        if isinstance(found, Reason):
            raise TokenRefused(found)
        return found


def reception(
    settings: GatewaySettings, sessions: Sessions, authority: ScriptedAuthority, *, revoked: Revoked | None = None
) -> Reception:
    """Return a reception by *settings* for the clients of *sessions*, without tickets."""
    census = Census(
        max_per_address=settings.max_per_address,
        max_per_subject=settings.max_per_subject,
        rate=settings.handshake_rate,
        burst=settings.handshake_burst,
    )
    keeper = Doorkeeper(sessions.refusal, census, revoked or Revoked(), parse_origins(settings.origins))
    return Reception(keeper, authority, None, clock=sessions.clock, counters=sessions.counters)
