"""Tickets on one connection: each is a message in a queue of its own, and taking it is a `basic.get`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, NoReturn, TypeVar

from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPChannelError, AMQPError, ChannelInvalidStateError
from pamqp.commands import Basic

from services.broker import topology
from services.broker.ports import LostReason
from services.broker.rabbitmq import link as links
from services.broker.rabbitmq.frames import Blocked, Event
from services.broker.rabbitmq.link import Link, is_cancelled
from services.errors import BrokerUnavailable

ANSWER_S: Final = 2.0
"""Longest that whoever puts or takes a ticket waits for the broker."""
ASKED: Final = 1_000
"""Most tickets being put or taken at once; who asks for more is refused at once."""
_TRANSIENT: Final = 1
"""Delivery mode.  A killed broker may hand a persistent message out again: somebody would get in twice."""

T = TypeVar("T")


class Ticketing:
    """Puts and takes tickets over *link*, each in a task of its own.

    A request that is cancelled half-way would make aiormq close its channel; so whoever waits too long goes, and
    the request is completed all the same.
    """

    def __init__(self, link: Link, putting: AbstractChannel, taking: AbstractChannel) -> None:
        self._link, self._putting, self._taking = link, putting, taking
        self._tasks = set[asyncio.Task[Any]]()
        self._blocked = False
        for channel in (putting, taking):
            channel.closing.add_done_callback(lambda _: self._end("a channel of the tickets was closed"))

    async def put(self, name: str) -> None:
        """Return once the ticket *name* can be taken.

        Raises:
            BrokerUnavailable: the broker refused it, or did not answer in time.
        """
        await self._within(self._put(topology.ticket_queue(name)))

    async def take(self, name: str) -> bool:
        """Take the ticket *name*; False: there is none.

        Raises:
            BrokerUnavailable: as `put`.
        """
        return await self._within(self._take(topology.ticket_queue(name)))

    def observe(self, event: Event) -> None:
        """Hear what the broker says, before aiormq knows."""
        if isinstance(event, Blocked):
            self._blocked = event.blocked

    async def finished(self) -> None:
        """Wait for what is under way, which fails once the link has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _put(self, queue: str) -> None:
        exchange = topology.RPC
        # Without answers: that to the publish, after them on the same channel, says that all stands.
        await self._putting.exchange_declare(exchange.name, exchange_type=exchange.kind, durable=True, nowait=True)
        await _declare(self._putting, queue)
        await self._putting.queue_bind(queue, exchange.name, queue, nowait=True)
        # Mandatory: a publish that no queue takes is confirmed, but comes back first, and that is an error.
        await self._putting.basic_publish(
            b"1",
            exchange=exchange.name,
            routing_key=queue,
            properties=Basic.Properties(delivery_mode=_TRANSIENT),
            mandatory=True,
        )

    async def _take(self, queue: str) -> bool:
        # Asking a queue that is gone would cost the channel, and with it whoever else asks.  For the same reason
        # nobody deletes it: another one may be between these two requests.  It goes by itself.
        await _declare(self._taking, queue)
        # The broker forgets the message as it hands it out: nobody else can get it, come what may.
        message = await self._taking.basic_get(queue, no_ack=True)
        return isinstance(message.delivery, Basic.GetOk)

    async def _within(self, work: Coroutine[Any, Any, T]) -> T:
        if self._blocked or len(self._tasks) >= ASKED:
            work.close()
            why = "the broker reads nothing at the moment" if self._blocked else f"{ASKED:,} tickets wait already"
            raise BrokerUnavailable(why)
        task = asyncio.get_running_loop().create_task(self._answered(work))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
        if not done:
            raise BrokerUnavailable(f"no answer about a ticket within {ANSWER_S:g} s")
        return task.result()

    async def _answered(self, work: Coroutine[Any, Any, T]) -> T:
        timer = asyncio.get_running_loop().call_later(links.ANSWER_S, self._overdue)
        try:
            return await work
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - aiormq raises bare ones too
            self._explain(error)
        finally:
            timer.cancel()

    def _explain(self, error: BaseException) -> NoReturn:
        if is_cancelled():
            raise error
        if not self._link.open:
            raise self._link.verdict(error) from error
        if not isinstance(error, AMQPError | ChannelInvalidStateError | asyncio.CancelledError):
            raise error
        # Not the error itself: the name of the queue stands in it, which is the ticket's.
        detail = f"the broker refused a ticket: {type(error).__name__}"
        if isinstance(error, AMQPChannelError):
            self._end(detail)
        raise BrokerUnavailable(detail)

    def _overdue(self) -> None:
        if self._link.open and not self._blocked:
            # An alarm says nothing of the connection, and revocations still come over it.
            self._link.end(LostReason.SILENT, f"no answer about a ticket for {links.ANSWER_S:g} s")

    def _end(self, detail: str) -> None:
        if self._link.open:
            self._link.end(LostReason.PROTOCOL, detail)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited was told; where nobody waits any more, nobody needs to be


async def open_ticketing(link: Link) -> Ticketing:
    """Open the two channels over which tickets are put and taken."""
    putting = await link.connection.channel(publisher_confirms=True, on_return_raises=True)
    taking = await link.connection.channel(publisher_confirms=False)
    return Ticketing(link, putting, taking)


async def _declare(channel: AbstractChannel, queue: str) -> None:
    await channel.queue_declare(queue, durable=True, arguments=dict(topology.TICKET_ARGUMENTS), nowait=True)
