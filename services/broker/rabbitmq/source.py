"""The RabbitMQ side of `services.broker.ports.TickSource`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from prometheus_client import CollectorRegistry

from services.broker.metrics import BrokerMetrics
from services.broker.ports import SourceListener, TickSource
from services.broker.queues import PER_SYMBOL, Queues
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.consuming import Consuming
from services.broker.rabbitmq.deliveries import Batch, Delivery
from services.broker.rabbitmq.link import Link, ignore
from services.broker.rabbitmq.supervisor import Supervisor
from services.errors import BrokerUnavailable, MalformedMessage
from services.market.control import Control, decode_control
from services.market.symbol import Symbol
from services.market.wire import TickMessage, decode_message
from services.runtime.clock import Clock


class RabbitSource(TickSource):
    """Ticks of followed symbols and control messages over one connection that only consumes.

    *url*: one or more addresses separated by commas, tried in turn.  *name*: shown by the broker.  A transition
    whose caller is cancelled is completed all the same.  *queues*: which symbols share one at the broker.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        clock: Clock,
        metrics: BrokerMetrics | None = None,
        queues: Queues = PER_SYMBOL,
    ) -> None:
        self._queues = queues
        self._clock, self._metrics = clock, metrics or BrokerMetrics(CollectorRegistry())
        addresses = parse_addresses(url, name=f"{name} consume")
        self._supervisor = Supervisor(addresses, "consume", clock=clock, metrics=self._metrics)
        self._consuming: Consuming | None = None
        self._link: Link | None = None
        self._metrics.following.set_function(lambda: self.following)
        self._metrics.queues.set_function(lambda: 0 if self._consuming is None else self._consuming.flows)

    async def run(self, listener: SourceListener) -> None:
        """Connect, deliver, reconnect; ends by cancellation only, and the connection is closed then."""
        await self._supervisor.run(partial(self._serve, listener), listener.on_lost, ignore)

    async def follow(self, symbol: Symbol) -> None:
        """See the port."""
        began = self._clock.monotonic()
        await self._connected().follow(symbol)
        self._metrics.follow_seconds.observe(self._clock.monotonic() - began)

    async def unfollow(self, symbol: Symbol) -> None:
        """See the port."""
        if self._consuming is not None:
            await self._consuming.unfollow(symbol)

    async def rebind(self, symbol: Symbol) -> None:
        """See the port."""
        await self._connected().rebind(symbol)

    async def probe(self) -> bool:
        """See the port."""
        return self._consuming is not None and await self._consuming.probe()

    def rest(self, seconds: float) -> None:
        """See the port: a read costs about 85 µs whatever it brings."""
        if self._link is not None:
            self._link.rest(seconds)

    @property
    def following(self) -> int:
        """See the port."""
        return 0 if self._consuming is None else self._consuming.following

    def _connected(self) -> Consuming:
        if self._consuming is None:
            raise BrokerUnavailable("not connected to the broker")
        return self._consuming

    async def _serve(self, listener: SourceListener, link: Link, stands: Callable[[], None]) -> NoReturn:
        link.take = Arrivals(listener).take
        consuming = Consuming(link, partial(self._unfollowed, listener), self._queues, self._unwanted)
        try:
            await consuming.attach()
            self._consuming, self._link = consuming, link
            stands()
            listener.on_connected()
            await consuming.start()
            raise await link.ended()
        finally:
            self._consuming = self._link = None
            link.take = ignore
            await link.close()
            await consuming.finished()

    def _unfollowed(self, listener: SourceListener, symbol: Symbol) -> None:
        self._metrics.unfollowed.inc()
        listener.on_unfollowed(symbol)

    def _unwanted(self, batch: Batch) -> None:
        self._metrics.unwanted.inc(sum(body.count(b"\n") + 1 for _, _, body in batch.entries))


class Arrivals:
    """Decodes what came by one read and hands it over: the ticks together, then the rest."""

    def __init__(self, listener: SourceListener) -> None:
        self._listener = listener

    def take(self, deliveries: Sequence[Delivery]) -> None:
        """Take what came, in the order it came."""
        ticks: list[TickMessage] = []
        rest: list[Control | MalformedMessage] = []
        for symbol, identity, body in deliveries:
            try:
                if symbol:
                    ticks.append(decode_message(symbol, identity, body))
                else:
                    rest.append(decode_control(body))
            except MalformedMessage as error:
                rest.append(error)
        if ticks:
            self._listener.on_ticks(ticks)
        for item in rest:
            if isinstance(item, MalformedMessage):
                self._listener.on_malformed(item)
            else:
                self._listener.on_control(item)
