"""The entrance: everything that lets clients in, put together for one gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import structlog

from gateway.admission.address import parse_networks
from gateway.admission.authorities import Gatekeeper
from gateway.admission.census import Census
from gateway.admission.choice import build_authority
from gateway.admission.doorkeeper import Doorkeeper
from gateway.admission.origin import parse_origins
from gateway.admission.reception import Reception
from gateway.admission.revoked import Revoked
from gateway.admission.ticketoffice import TicketOffice
from gateway.closing import TOKEN_REFUSED
from gateway.metrics import Reading
from gateway.readings import census_readings
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.wires.keyfetch import fetch_keys
from services.broker.admission import Admission
from services.broker.ports import LostReason
from services.broker.revocations import Revocation
from services.errors import BadSettings
from services.runtime.clock import Clock

_log = structlog.get_logger("tickwire.admission")


class Entrance:
    """Reception and doorkeeper, and what they hear of; a `RevocationListener`.

    *shared*: what all gateways know together, revocations and tickets; where no token is asked for it is not
    needed, and not connected.

    Raises:
        BadSettings: origins or proxies cannot be used.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        sessions: Sessions,
        authority: Gatekeeper,
        shared: Admission | None,
    ) -> None:
        self._sessions, self._clock = sessions, sessions.clock
        self._authority = authority
        self._shared = shared if authority.required else None
        self.trusted = parse_networks(settings.trusted_proxies)
        self.origins = parse_origins(settings.origins)
        self._census = Census(
            max_per_address=settings.max_per_address,
            max_per_subject=settings.max_per_subject,
            rate=settings.handshake_rate,
            burst=settings.handshake_burst,
        )
        self._revoked = Revoked()
        doorkeeper = Doorkeeper(sessions.refusal, self._census, self._revoked, self.origins)
        self.reception = Reception(
            doorkeeper,
            authority,
            _office(settings, self._shared, self._clock),
            clock=self._clock,
            counters=sessions.counters,
        )

    async def run(self) -> None:
        """Fetch keys, hear of revocations, keep tickets; ends by cancellation only."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._authority.run(), name="authority")
            if self._shared is not None:
                tasks.create_task(self._shared.run(self), name="admission")

    def readings(self) -> Iterator[Reading]:
        """Yield what metrics show of the entrance."""
        yield from self._authority.readings()
        yield from census_readings(self._census)
        yield _gauge("revocations", "Subjects and tokens known to be called back.", len(self._revoked))
        overflowed = [("", float(self._revoked.overflowed))]
        yield Reading(
            "revocations_overflowed", "Revocations forgotten for want of room.", "counter", None, overflowed
        )

    # ---------------------------------------------------------------------------------- what the log tells us

    def on_connected(self) -> None:
        """What is kept comes again; it changes nothing."""

    def on_lost(self, reason: LostReason) -> None:
        """The broker's own metrics count it."""

    def on_revoked(self, revocations: Sequence[Revocation]) -> None:
        """End the connections whose tokens were called back."""
        self._revoked.add(revocations, self._clock.wall_us() / 1e6)
        ended = 0
        for session in tuple(self._sessions):
            seat = session.seat
            if seat is not None and seat.entitlement is not None and self._revoked.holds(seat.entitlement):
                session.end(TOKEN_REFUSED)
                ended += 1
        if ended:
            _log.warning("admission.revoked", connections=ended)


def check(settings: GatewaySettings, clock: Clock) -> None:
    """Find out what is wrong with *settings* before anything is served.  Reads files.

    Raises:
        BadSettings: keys, origins or proxies cannot be used; with every fault.
    """
    faults: list[str] = []
    for part in (
        lambda: build_authority(settings, fetch_keys, clock),
        lambda: parse_networks(settings.trusted_proxies),
        lambda: parse_origins(settings.origins),
    ):
        try:
            part()
        except BadSettings as error:
            faults += error.faults
    if faults:
        raise BadSettings(faults)


def _office(settings: GatewaySettings, shared: Admission | None, clock: Clock) -> TicketOffice | None:
    secret = settings.ticket_secret
    return None if secret is None or shared is None else TicketOffice(shared, secret.get_secret_value(), clock)


def _gauge(name: str, meaning: str, value: float) -> Reading:
    return Reading(name, meaning, "gauge", None, [("", value)])
