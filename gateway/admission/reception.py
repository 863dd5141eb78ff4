"""The reception: where every wire's newcomers are let in, and where tokens are renewed.

It waits for what must be asked (keys, tickets); what follows from the answers is the doorkeeper's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import structlog

from gateway.admission import refusal
from gateway.admission.authority import Authority, Reason, TokenRefused
from gateway.admission.doorkeeper import Caller, Doorkeeper, Seat
from gateway.admission.entitlement import Entitlement
from gateway.admission.limits import TokenBucket
from gateway.admission.refusal import Refusal
from gateway.admission.ticketoffice import TicketOffice
from gateway.counters import Counters
from services.errors import BrokerUnavailable, KeysUnavailable
from services.runtime.clock import Clock

LINES_PER_S: Final = 5.0
"""Log lines about refusals per second in the long run: an attack must not fill the disk.  All are counted."""
LINES: Final = 50
"""Such lines at once."""

_log = structlog.get_logger("tickwire.admission")


class Shown(NamedTuple):
    """What somebody shows: a token, or a ticket; None: neither.  Never logged."""

    token: str | None = None
    ticket: str | None = None


class Reception:
    """Lets clients in.  *tickets* None: there are none on this gateway."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        authority: Authority,
        tickets: TicketOffice | None,
        *,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._doorkeeper, self._authority, self._tickets = doorkeeper, authority, tickets
        self._clock, self._counters = clock, counters
        self._lines = TokenBucket(LINES_PER_S, LINES, clock.monotonic())

    @property
    def required(self) -> bool:
        """Whether a client must show a token."""
        return self._authority.required

    @property
    def tickets(self) -> bool:
        """Whether there are tickets."""
        return self._tickets is not None

    async def receive(self, caller: Caller, shown: Shown, *, later: bool = False) -> Seat | Refusal:
        """Return a place for *caller*, or why there is none; *later*: its token may come afterwards."""
        turned_away = self._doorkeeper.greet(caller, self._clock.monotonic())
        if turned_away is not None:
            return self.turned_away(caller, turned_away)
        found = await self._entitlement(caller, shown)
        if found is None and not later:
            return self.turned_away(caller, refusal.NO_TOKEN)
        self._accepted(found)
        result = found if isinstance(found, Refusal) else self._doorkeeper.seat(caller, found)
        return self.turned_away(caller, result) if isinstance(result, Refusal) else result

    async def visit(self, caller: Caller, shown: Shown) -> Entitlement | Refusal:
        """Return what a plain request may have, or why nothing: it is no handshake and takes no place.

        The caller of this bounds how many there are and how often they come.
        """
        found: Entitlement | Refusal | None = self._doorkeeper.visit(caller)
        if found is None:
            found = await self._entitlement(caller, shown) or refusal.NO_TOKEN
            self._accepted(found)
        if isinstance(found, Refusal):
            self._say("admission.turned_away", caller, found.handshake.value)
        return found

    def confirm(self, caller: Caller, seat: Seat) -> Refusal | None:
        """Why *seat* does not stand any more: answering its client took a while."""
        why = self._doorkeeper.confirm(seat)
        return None if why is None else self.turned_away(caller, why)

    async def renew(self, caller: Caller, seat: Seat, token: str) -> Refusal | None:
        """Let *seat*'s client do what *token* says from now on, or say why not."""
        found = await self._entitlement(caller, Shown(token))
        if not isinstance(found, Entitlement):
            return found
        try:
            result = seat.entitle(found)
        except TokenRefused as error:
            return self._refused(caller, error.reason)
        self._accepted(found)
        return result

    async def issue(self, caller: Caller, shown: Shown) -> str | Refusal:
        """Return a ticket for who shows a token, or why there is none."""
        turned_away = self._doorkeeper.greet(caller, self._clock.monotonic())
        if turned_away is not None:
            return self.turned_away(caller, turned_away)
        found = await self._entitlement(caller, Shown(shown.token))
        if not isinstance(found, Entitlement) or self._tickets is None:
            return self.turned_away(caller, found if isinstance(found, Refusal) else refusal.NO_TOKEN)
        self._accepted(found)
        try:
            return await self._tickets.issue(found)
        except BrokerUnavailable:
            return self.turned_away(caller, refusal.UNKNOWABLE)

    def refused(self, caller: Caller, error: TokenRefused) -> Refusal:
        """Count and log a token that could not even be read, and who is turned away for it."""
        return self.turned_away(caller, self._refused(caller, error.reason))

    def token_refused(self, caller: Caller, error: TokenRefused) -> Refusal:
        """Count and log a token of a plain request that could not even be read."""
        return self._refused(caller, error.reason)

    def turned_away(self, caller: Caller, why: Refusal) -> Refusal:
        """Count and log it."""
        self._counters.handshakes[why.handshake] += 1
        self._say("admission.turned_away", caller, why.handshake.value)
        return why

    async def _entitlement(self, caller: Caller, shown: Shown) -> Entitlement | Refusal | None:
        """Return what is shown is good for; None: nothing is shown, and something must be."""
        try:
            found = await self._look(shown)
            if found is not None:
                self._doorkeeper.check(found)
        except TokenRefused as error:
            return self._refused(caller, error.reason)
        except (KeysUnavailable, BrokerUnavailable):
            return refusal.UNKNOWABLE
        return found

    async def _look(self, shown: Shown) -> Entitlement | None:
        if shown.token is not None or not self.required:
            return await self._authority.check(shown.token or "")
        if shown.ticket is None:
            return None
        if self._tickets is None:
            raise TokenRefused(Reason.MALFORMED)
        return await self._tickets.redeem(shown.ticket)

    def _accepted(self, found: Entitlement | Refusal | None) -> None:
        self._counters.tokens_accepted += self.required and isinstance(found, Entitlement)

    def _refused(self, caller: Caller, reason: Reason) -> Refusal:
        self._counters.tokens_refused[reason] += 1
        self._say("admission.token_refused", caller, reason.value)
        return refusal.EXPIRED if reason is Reason.EXPIRED else refusal.REFUSED

    def _say(self, event: str, caller: Caller, reason: str) -> None:
        if self._lines.take(self._clock.monotonic()):
            _log.info(event, reason=reason, peer=caller.address, origin=caller.origin)
