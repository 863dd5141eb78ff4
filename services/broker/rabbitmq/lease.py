"""The RabbitMQ side of `services.broker.lease.Lease`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, NoReturn
from uuid import uuid4

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from pamqp.commands import Basic
from prometheus_client import CollectorRegistry

from services.broker import topology
from services.broker.lease import Lease, LeaseListener
from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.frames import Closed, Event, ack_frame
from services.broker.rabbitmq.leasehold import LOOK_S, RENEW_S, Due, Leasehold, Note, parse
from services.broker.rabbitmq.link import Link, ignore, is_cancelled
from services.broker.rabbitmq.queues import declare_shared
from services.broker.rabbitmq.supervisor import Supervisor
from services.errors import BrokerUnavailable
from services.runtime.clock import Clock

HEARTBEAT_S: Final = 2
"""A frozen holder is noticed after 4.3 s; with 5 s it was 11.3 (measured on 3.10.8 and 4.0.5)."""
_PERSISTENT: Final = 2


class RabbitLease(Lease):
    """Holds a lease over one connection that does nothing else; *url* and *name* as for `RabbitSource`.

    *renew_s* and *look_s* are for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        shard: str,
        name: str,
        clock: Clock,
        metrics: BrokerMetrics | None = None,
        renew_s: float = RENEW_S,
        look_s: float = LOOK_S,
    ) -> None:
        addresses = parse_addresses(url, name=f"{name} lease", heartbeat=HEARTBEAT_S)
        metrics = metrics or BrokerMetrics(CollectorRegistry())
        self._supervisor = Supervisor(addresses, "lease", clock=clock, metrics=metrics)
        self._shard, self._clock = shard, clock
        self._renew_s, self._look_s = renew_s, look_s
        self._arguments = topology.lease_arguments(len(addresses))
        self._tenancy: Tenancy | None = None

    async def run(self, listener: LeaseListener) -> None:
        """Connect, wait, hold, reconnect; ends by cancellation only, and the connection is closed then."""
        await self._supervisor.run(partial(self._serve, listener), ignore, self._observe)

    async def write(self, epoch: int) -> None:
        """See the port."""
        if self._tenancy is None or not self._tenancy.hold.held:
            raise BrokerUnavailable("the lease is not held")
        await self._tenancy.write(epoch)

    async def _serve(self, listener: LeaseListener, link: Link, stands: Callable[[], None]) -> NoReturn:
        with link.answer_within():
            await declare_lease(link, self._shard, self._arguments)
            channel = await link.connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.basic_qos(prefetch_count=1)
        hold = Leasehold(self._renew_s)
        tenancy = self._tenancy = Tenancy(
            link, channel, hold, shard=self._shard, listener=listener, clock=self._clock
        )
        try:
            stands()
            listener.on_waiting()
            await tenancy.start()
            await self._stay(link, tenancy)
            raise await link.ended()
        finally:
            self._tenancy = None
            tenancy.end(tell=not is_cancelled())

    async def _stay(self, link: Link, tenancy: Tenancy) -> None:
        """Tend the lease until the connection ends, or what is asked fails."""
        tending = asyncio.ensure_future(tenancy.tend(self._look_s))
        ended = asyncio.ensure_future(link.ended())
        try:
            await asyncio.wait({tending, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await tending
        finally:
            tending.cancel()
            ended.cancel()
            await asyncio.wait({tending})
            if not tending.cancelled():
                tending.exception()  # where the connection ended first, that is the reason that is told

    def _observe(self, event: Event) -> None:
        # Called while bytes are read, before aiormq knows: the instant that publishing must stop.
        if self._tenancy is not None and isinstance(event, Closed) and event.channel in (0, self._tenancy.channel):
            self._tenancy.end()


class Tenancy:
    """The lease on one connection: carries out what its `Leasehold` decides."""

    def __init__(
        self,
        link: Link,
        channel: AbstractChannel,
        hold: Leasehold,
        *,
        shard: str,
        listener: LeaseListener,
        clock: Clock,
    ) -> None:
        self._link, self._channel, self._shard, self._clock = link, channel, shard, clock
        self._listener = listener
        self._turn, self._news = asyncio.Lock(), asyncio.Event()
        self._over = self._taking = False
        self.hold = hold
        self.channel = channel.number
        channel.closing.add_done_callback(lambda _: self._forsaken("the channel of the lease was closed"))
        channel.on_consumer_cancel_callbacks.add(lambda _: self._forsaken("the queue of the lease was deleted"))

    async def start(self) -> None:
        """Ask for the lease."""
        with self._link.answer_within():
            await self._channel.basic_consume(topology.lease_queue(self._shard), self._take)

    async def tend(self, every: float) -> None:
        """Renew the lease that is held, and put one in where there is none, until cancelled."""
        while True:
            match self.hold.due(self._clock.monotonic()):
                case Due.RENEW:
                    await self.write(self.hold.epoch)
                case Due.LOOK:
                    await self._look()
                case Due.NOTHING:
                    pass
            await asyncio.sleep(every)

    async def write(self, epoch: int) -> None:
        """Publish *epoch*, let the old message go once the broker has the new one, and wait until that comes.

        In this order, since a lease message must never be missing; both together are one too many for a moment.
        Until ours has come, others may stand before it, and whoever holds the lease next would be told theirs.

        Raises:
            BrokerUnavailable: the connection ended.
        """
        async with self._asking():
            await self._write(epoch)

    def end(self, *, tell: bool = True) -> None:
        """The lease is not ours any more; said once."""
        if not self._over:
            self._over = True
            self.hold.held = False
            self._news.set()
            if tell:
                self._listener.on_lost()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """One request after another, each answered in time; a failed one ends the connection."""
        async with self._turn:
            try:
                with self._link.answer_within():
                    yield
            except (AMQPError, ChannelInvalidStateError, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                self._forsaken(repr(error))
                raise self._link.verdict(error) from error

    async def _write(self, epoch: int) -> None:
        note = Note(epoch, uuid4().hex)
        self.hold.writes(note)
        await self._publish(note)
        if (tag := self.hold.written(self._clock.monotonic())) is not None:
            self._drop(tag)
        while not self.hold.settled:
            if self._over:
                raise self._link.verdict(None)
            self._news.clear()
            await self._news.wait()

    async def _settle(self) -> None:
        """See every message there is, then hold the lease."""
        async with self._asking():
            while self.hold.unseen(await self._ready()):
                await self._write(self.hold.epoch)
                if not self.hold.unseen(0):
                    break
            if not self._over:
                self.hold.hold(self._clock.monotonic())
                self._listener.on_held(self.hold.epoch)

    async def _look(self) -> None:
        async with self._asking():
            if not self.hold.lacks(await self._ready()):
                return
            if self.hold.held:
                await self._write(self.hold.epoch)
            else:
                await self._publish(Note(0, uuid4().hex))

    async def _ready(self) -> int:
        answer = await self._channel.queue_declare(topology.lease_queue(self._shard), passive=True)
        return answer.message_count or 0

    async def _publish(self, note: Note) -> None:
        # Mandatory: a publish that no queue takes is confirmed, but comes back first, and that is an error.
        properties = Basic.Properties(message_id=note.identity, delivery_mode=_PERSISTENT)
        await self._channel.basic_publish(
            b"%d" % note.epoch,
            exchange=topology.LEASE.name,
            routing_key=self._shard,
            properties=properties,
            mandatory=True,
        )

    async def _take(self, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        if self._over or tag is None:
            return
        note = Note(parse(message.body), message.header.properties.message_id or "")
        arrival = self.hold.came(tag, note)
        self._news.set()
        if arrival.drop:
            self._drop(tag)
        elif not self._taking:
            self._taking = True
            with suppress(BrokerUnavailable):  # the connection has ended, and who waits for that is told
                await self._settle()
        elif arrival.later and self.hold.held:
            self._listener.on_held(self.hold.epoch)

    def _drop(self, tag: int) -> None:
        # As a frame: what follows an ack is the next message, and an ack that comes too late must not raise.
        if self._link.open and not self._channel.is_closed and not self._link.transport.is_closing():
            self._link.transport.write(ack_frame(self.channel, tag))

    def _forsaken(self, detail: str) -> None:
        """End a connection that stands without what it is for."""
        if self._link.open:
            self._link.end(LostReason.PROTOCOL, detail)
        self.end()


async def declare_lease(link: Link, shard: str, arguments: Mapping[str, topology.Argument]) -> None:
    """Declare the lease's exchange, its queue where there is none, and the binding."""
    queue = topology.lease_queue(shard)
    await declare_shared(link, queue, arguments)
    channel = await link.connection.channel(publisher_confirms=False)
    await channel.exchange_declare(topology.LEASE.name, exchange_type=topology.LEASE.kind, durable=True)
    await channel.queue_bind(queue, topology.LEASE.name, shard)
    await channel.close()
