"""The RabbitMQ side of `services.broker.admission.Admission`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NoReturn, TypeVar

from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity
from prometheus_client import CollectorRegistry

from services.broker import topology
from services.broker.admission import Admission
from services.broker.metrics import BrokerMetrics, TicketOutcome
from services.broker.ports import LostReason
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.deliveries import Batch
from services.broker.rabbitmq.frames import Blocked, Event
from services.broker.rabbitmq.link import Link
from services.broker.rabbitmq.queues import declare_revocations, exists
from services.broker.rabbitmq.reel import Reel
from services.broker.rabbitmq.supervisor import Supervisor
from services.broker.rabbitmq.ticketing import Ticketing, open_ticketing
from services.broker.revocationlog import decode_revocations
from services.broker.revocations import Revocation, RevocationListener
from services.broker.stubs import WAITING, Stubs, is_ticket
from services.errors import BadInput, BrokerUnavailable, MalformedMessage
from services.runtime.clock import Clock

PREFETCH: Final = 1_000
"""Messages of the revocation log that the broker sends ahead of our acks."""
LOOK_S: Final = 1.0
"""Between two looks for a revocation log that is not made yet, where this user may only read it, or not up yet."""
ROLE: Final = "admission"

T = TypeVar("T")


class RabbitAdmission(Admission):
    """Revocations and tickets over one connection; *url* and *name* as for `RabbitSource`.

    It publishes (tickets) and consumes (revocations).  A broker out of memory stops reading it: then no ticket is
    put or taken, and nobody's revocation can be published either, so none is missed.  *most*: tickets that may
    wait.
    """

    def __init__(
        self, url: str, *, name: str, clock: Clock, metrics: BrokerMetrics | None = None, most: int = WAITING
    ) -> None:
        self._metrics = metrics or BrokerMetrics(CollectorRegistry())
        self._clock, self._stubs = clock, Stubs(most)
        addresses = parse_addresses(url, name=f"{name} {ROLE}")
        self._supervisor = Supervisor(addresses, ROLE, clock=clock, metrics=self._metrics)
        self._ticketing: Ticketing | None = None

    async def run(self, listener: RevocationListener | None = None) -> None:
        """Connect, read, reconnect; ends by cancellation only, and the connection is closed then."""
        lost = _ignore if listener is None else listener.on_lost
        await self._supervisor.run(partial(self._serve, listener), lost, self._observe)

    async def put(self, name: str) -> None:
        """See `TicketStore.put`.

        Raises:
            BadInput: *name* is no ticket's.
            BrokerUnavailable: as the port says, or as many tickets wait as one gateway may have.
        """
        if not is_ticket(name):
            raise BadInput("a ticket's name is 32 hexadecimal digits")
        if not self._stubs.add(self._clock.monotonic()):
            self._count(TicketOutcome.FULL)
            raise BrokerUnavailable("as many tickets wait as one gateway may have")
        await self._counted(lambda ticketing: ticketing.put(name))
        self._count(TicketOutcome.PUT)

    async def take(self, name: str) -> bool:
        """See `TicketStore.take`."""
        taken = is_ticket(name) and await self._counted(lambda ticketing: ticketing.take(name))
        self._count(TicketOutcome.TAKEN if taken else TicketOutcome.MISSED)
        return taken

    async def _counted(self, ask: Callable[[Ticketing], Awaitable[T]]) -> T:
        try:
            return await ask(self._connected())
        except BrokerUnavailable:
            self._count(TicketOutcome.UNAVAILABLE)
            raise

    def _connected(self) -> Ticketing:
        if self._ticketing is None:
            raise BrokerUnavailable("not connected to the broker")
        return self._ticketing

    def _count(self, outcome: TicketOutcome) -> None:
        self._metrics.admission.tickets.labels(outcome.value).inc()

    async def _serve(
        self, listener: RevocationListener | None, link: Link, stands: Callable[[], None]
    ) -> NoReturn:
        with link.answer_within():
            ticketing = self._ticketing = await open_ticketing(link)
        try:
            stands()
            if listener is not None:
                listener.on_connected()
                await self._read(listener, link)
            raise await link.ended()
        finally:
            self._ticketing = None
            await link.close()
            await ticketing.finished()

    async def _read(self, listener: RevocationListener, link: Link) -> None:
        """Read from the first revocation on, each time: another broker may have answered, with other offsets."""
        while link.open and not await self._made(link):
            await asyncio.wait({link.connection.closing}, timeout=LOOK_S)
        reel = Reel(topology.REVOCATION_LOG, "first", partial(self._take, listener), prefetch=PREFETCH)
        await reel.play(link)

    async def _made(self, link: Link) -> bool:
        """Whether there is a revocation log, perhaps now; where there is none, nothing was ever revoked."""
        with link.answer_within():
            if await exists(link, topology.REVOCATION_LOG):
                return True
            try:
                await declare_revocations(link)
            except (
                ChannelAccessRefused,
                ChannelNotFoundEntity,
            ):  # the latter: it is there, its home is not up yet
                return False
            return True

    def _take(self, listener: RevocationListener, batch: Batch) -> None:
        revocations = list[Revocation]()
        for _, _, body in batch.entries:
            try:
                revocations += decode_revocations(body)
            except MalformedMessage:
                self._metrics.admission.malformed.inc()
        self._metrics.admission.revocations.inc(len(revocations))
        if revocations:
            listener.on_revoked(revocations)

    def _observe(self, event: Event) -> None:
        if isinstance(event, Blocked):
            self._metrics.blocked.labels(ROLE).set(event.blocked)
        if self._ticketing is not None:
            self._ticketing.observe(event)


def _ignore(_: LostReason) -> None:
    """Nobody wants to know."""
