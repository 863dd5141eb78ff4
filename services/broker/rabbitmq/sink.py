"""The RabbitMQ side of `services.broker.ports.TickSink`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NoReturn

from aiormq.abc import AbstractChannel
from prometheus_client import CollectorRegistry

from services.broker import topology
from services.broker.metrics import BrokerMetrics
from services.broker.ports import NO_CONTEXTS, Contexts, LostReason, Outgoing, SinkListener, TickSink
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.frames import Blocked, Closed, Envelopes, Event, Settled
from services.broker.rabbitmq.link import Link
from services.broker.rabbitmq.log import LogTail, declare_log
from services.broker.rabbitmq.supervisor import Supervisor
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol
from services.runtime.clock import Clock


class RabbitSink(TickSink):
    """Publishes over one connection that only publishes; *url* and *name* as for `RabbitSource`."""

    def __init__(self, url: str, *, name: str, clock: Clock, metrics: BrokerMetrics | None = None) -> None:
        self._metrics = metrics or BrokerMetrics(CollectorRegistry())
        addresses = parse_addresses(url, name=f"{name} publish")
        self._supervisor = Supervisor(addresses, "publish", clock=clock, metrics=self._metrics)
        reading = parse_addresses(url, name=f"{name} log")
        self._tail = LogTail(reading, clock=clock, traffic=self._metrics.traffic["log"])
        self._press: Press | None = None

    async def run(self, listener: SinkListener) -> None:
        """Connect, declare, reconnect; ends by cancellation only, and the connection is closed then."""
        await self._supervisor.run(
            partial(self._serve, listener), listener.on_lost, partial(self._observe, listener)
        )

    def publish(self, messages: Sequence[Outgoing], contexts: Contexts = NO_CONTEXTS) -> int:
        """See the port."""
        if self._press is None:
            raise BrokerUnavailable("not connected to the broker")
        return self._press.publish(messages, contexts)

    def reconnect(self) -> None:
        """See the port."""
        if self._press is not None:
            self._press.give_up()

    async def newest_epoch(self, symbols: Collection[Symbol]) -> int | None:
        """See the port; reads back over a connection of its own, since a blocked one answers nothing."""
        return await self._tail.newest_epoch(symbols)

    async def _serve(self, listener: SinkListener, link: Link, stands: Callable[[], None]) -> NoReturn:
        with link.answer_within():
            # aiormq counts no confirms on such a channel: it would log an error for each of ours.
            channel = await link.connection.channel(publisher_confirms=False)
            await declare_log(channel)
            await channel.confirm_delivery()
        press = Press(link, channel)
        channel.closing.add_done_callback(lambda _: press.end())
        try:
            self._press = press
            stands()
            listener.on_connected()
            raise await link.ended()
        finally:
            self._press = None

    def _observe(self, listener: SinkListener, event: Event) -> None:
        # Called while bytes are read, before aiormq knows: the instant that publishing must stop.
        press = self._press
        if isinstance(event, Settled):
            if press is not None and event.channel == press.channel:
                listener.on_settled(event.number, multiple=event.multiple, accepted=event.accepted)
        elif isinstance(event, Blocked):
            self._metrics.blocked.labels("publish").set(event.blocked)
            listener.on_blocked(blocked=event.blocked)
        elif press is not None and event.channel in (0, press.channel):
            press.stop(event)


class Press:
    """Writes messages as frames on a channel of which the broker confirms each message."""

    def __init__(self, link: Link, channel: AbstractChannel) -> None:
        self._link = link
        self._channel = channel
        self._stopped = False
        self._number = 0
        self._envelopes = Envelopes(channel.number, link.connection.connection_tune.frame_max)
        self.channel = channel.number

    def publish(self, messages: Sequence[Outgoing], contexts: Contexts = NO_CONTEXTS) -> int:
        """Write all *messages* by one write and return the last one's number.

        Raises:
            BrokerUnavailable: channel or connection no longer stand: a frame on a channel that the broker has
                closed would cost the connection.
        """
        transport = self._link.transport
        if self._stopped or self._channel.is_closed or not self._link.open or transport.is_closing():
            raise BrokerUnavailable("the connection to the broker is ending")
        parts: list[bytes] = []
        if contexts:
            self._add_traced(parts, messages, contexts)
        else:
            for route, symbol, identity, body in messages:
                key = topology.routing_key(route, symbol)
                self._envelopes.add(parts, topology.exchange_of(route), key, identity, body)
        self._number += len(messages)
        transport.write(b"".join(parts))
        return self._number

    def _add_traced(self, parts: list[bytes], messages: Sequence[Outgoing], contexts: Contexts) -> None:
        """Add *messages*, some with a context: apart, so that those of other batches cost nothing for it."""
        for index, (route, symbol, identity, body) in enumerate(messages):
            exchange, key = topology.exchange_of(route), topology.routing_key(route, symbol)
            context = contexts.get(index)
            if context is None:
                self._envelopes.add(parts, exchange, key, identity, body)
            else:
                self._envelopes.add_traced(parts, exchange, key, identity, body, context=context)

    def stop(self, closed: Closed) -> None:
        """Write nothing more; a channel closed by the broker ends the connection."""
        self._stopped = True
        if closed.channel:
            self._link.end(LostReason.PROTOCOL, f"{closed.code} {closed.text}")

    def give_up(self) -> None:
        """End a connection whose broker leaves messages unanswered."""
        self._stopped = True
        self._link.end(LostReason.SILENT, "messages are not answered")

    def end(self) -> None:
        """End a connection that stands without its channel."""
        self._stopped = True
        if self._link.open:
            self._link.end(LostReason.PROTOCOL, "the publishing channel was closed")
