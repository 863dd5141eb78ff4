"""What the contract suite does to a broker from outside: one interface, one implementation per adapter."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import count
from typing import Protocol

import aiormq
from pamqp.commands import Basic
from yarl import URL

from services.broker import topology
from services.broker.admission import Admission
from services.broker.lease import Lease
from services.broker.memory import MemoryBroker
from services.broker.ports import Outgoing, TickSink, TickSource
from services.broker.queues import PER_SYMBOL, Queues
from services.broker.rabbitmq import RabbitAdmission, RabbitLease, RabbitRevoker, RabbitSink, RabbitSource
from services.broker.revocations import Revoker
from services.broker.stubs import WAITING
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.proxy import Proxy, proxied


class Controls(Protocol):
    """A broker, and what an operator, a network or a stranger may do to it."""

    async def source(self, name: str) -> TickSource:
        """A source whose connection is called *name*."""
        ...

    async def sink(self, name: str) -> TickSink:
        """A sink whose connection is called *name*."""
        ...

    async def lease(self, name: str, shard: str = "main") -> Lease:
        """A lease whose connection is called *name*."""
        ...

    async def admission(self, name: str, most: int = WAITING) -> Admission:
        """An admission whose connection is called *name*; *most*: tickets that may wait."""
        ...

    async def revoker(self) -> Revoker:
        """Who calls tokens back."""
        ...

    async def inject(self, message: Outgoing) -> None:
        """Publish *message* past every sink, malformed or not."""
        ...

    async def end_connection(self, name: str) -> None:
        """Cut the connections called *name*; new ones are accepted."""
        ...

    async def freeze(self, name: str) -> None:
        """Let nothing through on the connections called *name*, which go on standing, until `thaw`."""
        ...

    async def thaw(self, name: str) -> None:
        """Let everything through again."""
        ...

    async def refuse(self) -> None:
        """End every connection and refuse new ones."""
        ...

    async def accept(self) -> None:
        """Accept connections again."""
        ...

    async def recreate_exchange(self) -> None:
        """Delete the exchange of the ticks and declare it again: nobody is bound to it then."""
        ...

    async def end_flow(self, source: TickSource, symbol: str) -> None:
        """Delete what the broker keeps for *symbol* on behalf of *source*."""
        ...

    def apart(self, symbol: Symbol) -> Symbol:
        """Return another symbol, for which a source has the broker keep nothing that it keeps for *symbol*."""
        ...


class MemoryControls:
    """The in-memory broker's own methods."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(clock=SystemClock())

    async def source(self, name: str) -> TickSource:
        """See `Controls`."""
        return self.broker.source(name)

    async def sink(self, name: str) -> TickSink:
        """See `Controls`."""
        return self.broker.sink(name)

    async def lease(self, name: str, shard: str = "main") -> Lease:
        """See `Controls`."""
        return self.broker.lease(shard, name)

    async def admission(self, name: str, most: int = WAITING) -> Admission:
        """See `Controls`."""
        return self.broker.admission(name, most)

    async def revoker(self) -> Revoker:
        """See `Controls`."""
        return self.broker.revoker()

    async def inject(self, message: Outgoing) -> None:
        """See `Controls`."""
        self.broker.inject(message)

    async def end_connection(self, name: str) -> None:
        """See `Controls`."""
        self.broker.end_connection(name)

    async def freeze(self, name: str) -> None:
        """See `Controls`."""
        self.broker.freeze(name)

    async def thaw(self, name: str) -> None:
        """See `Controls`.  Here only the connection that was frozen is: there is nothing to undo."""

    async def refuse(self) -> None:
        """See `Controls`."""
        self.broker.stop()

    async def accept(self) -> None:
        """See `Controls`."""
        self.broker.start()

    async def recreate_exchange(self) -> None:
        """See `Controls`."""
        self.broker.recreate_exchange()

    async def end_flow(self, source: TickSource, symbol: str) -> None:
        """See `Controls`."""
        del source
        self.broker.end_flow(symbol)

    def apart(self, symbol: Symbol) -> Symbol:
        """See `Controls`."""
        return Symbol(f"{symbol}X")


class RabbitControls:
    """A real broker, reached through one proxy per name; *queues*: how sources divide symbols among queues."""

    def __init__(self, url: str, proxies: AsyncExitStack, queues: Queues = PER_SYMBOL) -> None:
        self._url, self._stack, self._queues = URL(url), proxies, queues
        self._proxies: dict[str, Proxy] = {}

    async def source(self, name: str) -> TickSource:
        """See `Controls`."""
        return RabbitSource(await self.through(name), name=name, clock=SystemClock(), queues=self._queues)

    async def sink(self, name: str) -> TickSink:
        """See `Controls`."""
        return RabbitSink(await self.through(name), name=name, clock=SystemClock())

    async def lease(self, name: str, shard: str = "main") -> Lease:
        """See `Controls`."""
        return RabbitLease(await self.through(name), shard=shard, name=name, clock=SystemClock())

    async def admission(self, name: str, most: int = WAITING) -> Admission:
        """See `Controls`."""
        # Made beforehand: of two readers that come to a broker without the log at the same moment one may be
        # thrown out (541, `stream_not_found` in RabbitMQ 3.10.8) and has to come back.
        await RabbitRevoker(str(self._url), name="maker", clock=SystemClock()).revoke([])
        return RabbitAdmission(await self.through(name), name=name, clock=SystemClock(), most=most)

    async def revoker(self) -> Revoker:
        """See `Controls`."""
        return RabbitRevoker(await self.through("revoker"), name="revoker", clock=SystemClock())

    async def inject(self, message: Outgoing) -> None:
        """See `Controls`."""
        async with aiormq.connect(self._url) as connection:
            channel = await connection.channel()
            await channel.basic_publish(
                message.body,
                exchange=topology.exchange_of(message.route),
                routing_key=topology.routing_key(message.route, message.symbol),
                properties=Basic.Properties(message_id=message.identity),
            )

    async def end_connection(self, name: str) -> None:
        """See `Controls`."""
        self._proxies[name].cut()

    async def freeze(self, name: str) -> None:
        """See `Controls`."""
        self._proxies[name].freeze()

    async def thaw(self, name: str) -> None:
        """See `Controls`."""
        self._proxies[name].thaw()

    async def refuse(self) -> None:
        """See `Controls`."""
        for proxy in self._proxies.values():
            await proxy.refuse()

    async def accept(self) -> None:
        """See `Controls`."""
        for proxy in self._proxies.values():
            await proxy.accept()

    async def recreate_exchange(self) -> None:
        """See `Controls`."""
        async with aiormq.connect(self._url) as connection:
            channel = await connection.channel()
            await channel.exchange_delete(topology.TICKS.name)
            await channel.exchange_declare(topology.TICKS.name, exchange_type=topology.TICKS.kind, durable=True)

    async def end_flow(self, source: TickSource, symbol: str) -> None:
        """See `Controls`.  An exclusive queue can be deleted over AMQP by its own connection only."""
        assert isinstance(source, RabbitSource)
        consuming = source._consuming
        assert consuming is not None
        channel = await consuming._link.connection.channel()
        await channel.queue_delete(consuming._followed[Symbol(symbol)].queue)
        await channel.close()

    def apart(self, symbol: Symbol) -> Symbol:
        """See `Controls`."""
        names = (Symbol(f"{symbol}X{n}") for n in count())
        return next(name for name in names if self._queues.slot(name) != self._queues.slot(symbol))

    async def through(self, name: str) -> str:
        """Return the address of the broker behind the proxy called *name*."""
        if name not in self._proxies:
            target = (self._url.host or "127.0.0.1", self._url.port or 5672)
            self._proxies[name] = await self._stack.enter_async_context(proxied(*target))
        return str(self._url.with_host("127.0.0.1").with_port(self._proxies[name].port))
