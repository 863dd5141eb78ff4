"""The RabbitMQ side of `services.broker.ports.TickSource`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from prometheus_client import CollectorRegistry

from services.broker.metrics import BrokerMetrics
from services.broker.ports import SourceListener, TickSource
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.consuming import Consuming
from services.broker.rabbitmq.link import Link, ignore
from services.broker.rabbitmq.supervisor import Supervisor
from services.broker.topology import symbol_of
from services.errors import BrokerUnavailable, MalformedMessage
from services.market.control import decode_control
from services.market.symbol import Symbol
from services.market.wire import TickMessage, decode_message
from services.runtime.clock import Clock


class RabbitSource(TickSource):
    """Ticks of followed symbols and control messages over one connection that only consumes.

    *url*: one or more addresses separated by commas, tried in turn.  *name*: shown by the broker.  A transition
    whose caller is cancelled is completed all the same.
    """

    def __init__(self, url: str, *, name: str, clock: Clock, metrics: BrokerMetrics | None = None) -> None:
        self._metrics = metrics or BrokerMetrics(CollectorRegistry())
        addresses = parse_addresses(url, name=f"{name} consume")
        self._supervisor = Supervisor(addresses, "consume", clock=clock, metrics=self._metrics)
        self._consuming: Consuming | None = None
        self._metrics.following.set_function(lambda: self.following)

    async def run(self, listener: SourceListener) -> None:
        """Connect, deliver, reconnect; ends by cancellation only, and the connection is closed then."""
        await self._supervisor.run(partial(self._serve, listener), listener.on_lost, ignore)

    async def follow(self, symbol: Symbol) -> None:
        """See the port."""
        await self._connected().follow(symbol)

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

    @property
    def following(self) -> int:
        """See the port."""
        return 0 if self._consuming is None else self._consuming.following

    def _connected(self) -> Consuming:
        if self._consuming is None:
            raise BrokerUnavailable("not connected to the broker")
        return self._consuming

    async def _serve(self, listener: SourceListener, link: Link, stands: Callable[[], None]) -> NoReturn:
        arrivals = Arrivals(listener)
        consuming = Consuming(link, arrivals.tick, arrivals.control, partial(self._unfollowed, listener))
        try:
            await consuming.attach()
            self._consuming = consuming
            stands()
            listener.on_connected()
            await consuming.start()
            raise await link.ended()
        finally:
            self._consuming = None
            arrivals.hand_over()
            await link.close()
            await consuming.finished()

    def _unfollowed(self, listener: SourceListener, symbol: Symbol) -> None:
        self._metrics.unfollowed.inc()
        listener.on_unfollowed(symbol)


class Arrivals:
    """Decodes what is delivered and hands over together what came in one turn of the loop."""

    def __init__(self, listener: SourceListener) -> None:
        self._listener = listener
        self._ticks: list[TickMessage] = []

    def tick(self, key: str, identity: str | None, body: bytes) -> None:
        """Take a message of ticks; its handing over waits for what else arrives in this turn."""
        try:
            message = decode_message(symbol_of(key), identity, body)
        except MalformedMessage as error:
            self._listener.on_malformed(error)
            return
        if not self._ticks:
            asyncio.get_running_loop().call_soon(self.hand_over)
        self._ticks.append(message)

    def control(self, _: str, __: str | None, body: bytes) -> None:
        """Take a control message, after the ticks that came before it."""
        self.hand_over()
        try:
            message = decode_control(body)
        except MalformedMessage as error:
            self._listener.on_malformed(error)
            return
        self._listener.on_control(message)

    def hand_over(self) -> None:
        """Hand over what waits."""
        ticks, self._ticks = self._ticks, []
        if ticks:
            self._listener.on_ticks(ticks)
