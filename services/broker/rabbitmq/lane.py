"""One channel of a consuming connection, and the queues whose messages come over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, NoReturn

from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPChannelError, ChannelInvalidStateError, ChannelNotFoundEntity
from pamqp import commands

from services.broker.ports import LostReason
from services.broker.rabbitmq.deliveries import Shared, Wanted
from services.broker.rabbitmq.link import Link, is_cancelled
from services.broker.topology import Argument, Exchange
from services.errors import BrokerUnavailable

_tags = count(1)
"""Consumer tags of this process; none is used twice (RabbitMQ 4.3.7 keeps a cancelled one for a while)."""


@dataclass(eq=False, slots=True)
class Flow:
    """A queue of ours: the exchange that it is bound to, its arguments, what becomes of its messages."""

    exchange: Exchange
    arguments: Mapping[str, Argument]
    wanted: Wanted | Shared
    keys: dict[str, Wanted] = field(default_factory=dict)
    """Whose ticks come by which routing key."""
    queue: str = ""
    """Its name, by the broker; empty: there is none."""
    tag: str = ""
    """Its consumer; empty: it is not consumed (yet, or any more)."""
    channel: AbstractChannel | None = None
    """What it is consumed on."""


class Lane:
    """Opens, binds and closes flows over one channel, one request after another.

    A channel that ends by an error takes its consumers with it, not its queues (they are the connection's): each
    flow is reported to *dropped* and its queue deleted before anything else is asked on the next channel.
    """

    def __init__(self, link: Link, dropped: Callable[[Flow], None]) -> None:
        self._link, self._dropped = link, dropped
        self._channel: AbstractChannel | None = None
        self._turn = asyncio.Lock()
        self._flows: dict[str, Flow] = {}
        self._orphans: list[str] = []

    async def declare(self, exchange: Exchange) -> None:
        """Declare an exchange, and wait for the broker's answer.

        Raises:
            BrokerUnavailable: as `open`.
        """
        async with self._asking() as channel:
            await channel.exchange_declare(exchange.name, exchange_type=exchange.kind, durable=True)

    async def open(self, flow: Flow, key: str) -> None:
        """Declare the flow's exchange and queue, bind it by *key* and consume it.

        Raises:
            BrokerUnavailable: the broker refused, or the connection ended.
        """
        async with self._asking() as channel, self._or_abandon(flow):
            await self._declare_queue(channel, flow)
            # Without an answer: that to `consume`, after it on the same channel, says that the binding stands.
            await channel.queue_bind(flow.queue, flow.exchange.name, key, nowait=True)
            await self._consume(channel, flow)

    async def attach(self, flow: Flow, key: str) -> None:
        """Declare and bind only: what is published from now on waits in the queue."""
        async with self._asking() as channel, self._or_abandon(flow):
            await self._declare_queue(channel, flow)
            await channel.queue_bind(flow.queue, flow.exchange.name, key)  # with an answer: now it stands

    async def consume(self, flow: Flow) -> None:
        """Consume an attached flow."""
        async with self._asking() as channel, self._or_abandon(flow):
            await self._consume(channel, flow)

    async def bind(self, flow: Flow, key: str) -> None:
        """Bind an open flow by *key* too, or again.

        Raises:
            BrokerUnavailable: as `open`, or the broker ended the flow.
        """
        async with self._asking() as channel:
            _check(flow)  # to the broker an empty name is the queue declared last, somebody else's
            await _declare_exchange(channel, flow.exchange)
            await channel.queue_bind(flow.queue, flow.exchange.name, key)
            _check(flow)

    async def unbind(self, flow: Flow, key: str) -> None:
        """Let nothing more come by *key*; no effect where the broker has ended the flow."""
        async with self._asking() as channel:
            if flow.queue:
                await _declare_exchange(channel, flow.exchange)
                await channel.queue_unbind(flow.queue, flow.exchange.name, key)

    async def close(self, flow: Flow) -> None:
        """Stop consuming and delete the queue."""
        self._flows.pop(flow.tag, None)
        try:
            async with self._asking() as channel:
                if flow.tag and flow.channel is channel:
                    # First the consumer: a queue deleted under it would be answered by a cancellation.
                    await channel.basic_cancel(flow.tag, nowait=True)
                if flow.queue:
                    await channel.queue_delete(flow.queue)
                    flow.queue = ""
        finally:
            self._abandon(flow)

    async def clean(self) -> None:
        """Delete the queues that dropped flows left behind."""
        async with self._asking():
            pass

    async def _declare_queue(self, channel: AbstractChannel, flow: Flow) -> None:
        await _declare_exchange(channel, flow.exchange)
        answer = await channel.queue_declare(exclusive=True, arguments=dict(flow.arguments))
        flow.queue = str(answer.queue)

    async def _consume(self, channel: AbstractChannel, flow: Flow) -> None:
        flow.tag = f"tickwire-{next(_tags)}"
        flow.channel = channel
        self._flows[flow.tag] = flow
        self._link.lifted[_consumer(flow)] = flow.wanted
        await channel.basic_consume(flow.queue, _stray, no_ack=True, exclusive=True, consumer_tag=flow.tag)
        if not flow.tag:
            raise BrokerUnavailable("the broker deleted the queue at once")

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[AbstractChannel]:
        async with self._turn:
            try:
                with self._link.answer_within():
                    channel = await self._opened()
                    await self._delete_orphans(channel)
                    yield channel
            except BrokerUnavailable:
                raise
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - aiormq raises bare ones too
                self._explain(error)

    def _explain(self, error: BaseException) -> NoReturn:
        if is_cancelled():
            raise error
        if not self._link.open:
            raise self._link.verdict(error) from error
        if not isinstance(error, AMQPChannelError | ChannelInvalidStateError | asyncio.CancelledError):
            raise error
        if isinstance(error, AMQPChannelError) and not isinstance(error, ChannelNotFoundEntity):
            # What we ask is refused on principle; each repetition would cost this lane's other flows.
            self._link.end(LostReason.PROTOCOL, repr(error))
        raise BrokerUnavailable(repr(error)) from error

    async def _opened(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            # A new channel: the old one's number may be used again only by itself.
            channel = await self._link.connection.channel(publisher_confirms=False)
            channel.on_consumer_cancel_callbacks.add(self._cancelled)
            self._flows = {}
            channel.closing.add_done_callback(partial(self._closed, self._flows))
            self._channel = channel
        return self._channel

    async def _delete_orphans(self, channel: AbstractChannel) -> None:
        while self._orphans:
            queue = self._orphans[-1]
            await channel.queue_delete(queue)
            self._orphans.remove(queue)

    def _cancelled(self, frame: commands.Basic.Cancel) -> None:
        flow = self._flows.pop(str(frame.consumer_tag), None)
        if flow is not None:
            self._drop(flow)

    def _closed(self, flows: dict[str, Flow], _: asyncio.Future[Any]) -> None:
        while flows and self._link.open:  # if it is not, the queues are gone, and everybody knows
            self._drop(flows.popitem()[1])

    def _drop(self, flow: Flow) -> None:
        self._abandon(flow)
        self._dropped(flow)

    @asynccontextmanager
    async def _or_abandon(self, flow: Flow) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            self._abandon(flow)
            raise

    def _abandon(self, flow: Flow) -> None:
        self._link.lifted.pop(_consumer(flow), None)
        if flow.queue:
            self._orphans.append(flow.queue)
        flow.queue = flow.tag = ""


async def _declare_exchange(channel: AbstractChannel, exchange: Exchange) -> None:
    # Without an answer: it costs one frame, and saves the channel where the exchange was deleted meanwhile.
    await channel.exchange_declare(exchange.name, exchange_type=exchange.kind, durable=True, nowait=True)


def _check(flow: Flow) -> None:
    if not flow.queue:
        raise BrokerUnavailable("the broker ended this flow")


def _consumer(flow: Flow) -> tuple[int, bytes]:
    number = flow.channel.number if flow.channel else 0  # no consumer is on channel 0
    return number, flow.tag.encode()


async def _stray(_: object) -> None:
    """Take what came after its consumer was given up, and drop it."""
