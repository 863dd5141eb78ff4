"""The RabbitMQ side of `services.broker.history.History`: who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from aiormq.abc import AbstractChannel
from prometheus_client import CollectorRegistry

from services.broker import topology
from services.broker.history import ANSWER_S, Answer, CandleAnswer, CandleQuestion, History, Question
from services.broker.metrics import BrokerMetrics
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.deliveries import Delivery, Wanted
from services.broker.rabbitmq.frames import Blocked, Event
from services.broker.rabbitmq.inquiries import Inquiries, Presence
from services.broker.rabbitmq.link import Link, ignore
from services.broker.rabbitmq.post import Post
from services.broker.rabbitmq.queues import declare_replies
from services.broker.rabbitmq.supervisor import Supervisor
from services.broker.rpc import Asked, Request, Told, decode_reply, encode_request
from services.errors import HistoryUnavailable, MalformedMessage
from services.market.symbol import Symbol
from services.runtime.clock import Clock

PROBE_S: Final = 1.0
"""Between two probes of a history that does not answer; so one that returns is noticed within about a second."""
_TAG: Final = "replies"


class RabbitHistory(History):
    """Asks over one connection that does nothing else; *url* and *name* as for `RabbitSource`.

    Questions of one turn of the loop share a message, and the same question is on its way once, whoever waits for
    it.  While the broker takes nothing (a memory alarm) questions wait for `ANSWER_S` and fail, and nothing is
    written.
    """

    def __init__(self, url: str, *, name: str, clock: Clock, metrics: BrokerMetrics | None = None) -> None:
        self._metrics = metrics or BrokerMetrics(CollectorRegistry())
        self._clock = clock
        addresses = parse_addresses(url, name=f"{name} rpc")
        self._supervisor = Supervisor(addresses, "rpc", clock=clock, metrics=self._metrics)
        self._inquiries, self._presence = Inquiries(), Presence()
        self._answers: dict[Asked, asyncio.Future[Told | None]] = {}
        self._hatch: Hatch | None = None
        self._due: asyncio.Handle | None = None
        self._metrics.rpc.present.set_function(lambda: self.present)

    @property
    def present(self) -> bool:
        """See the port."""
        return self._presence.present(self._clock.monotonic())

    async def run(self) -> None:
        """Connect, reconnect; ends by cancellation only, and the connection is closed then."""
        await self._supervisor.run(self._serve, ignore, self._observe)

    async def ask(self, question: Question) -> Answer:
        """See the port."""
        told = await self._told(question)
        if not isinstance(told, Answer):
            raise HistoryUnavailable(f"no answer about {question.symbol} within {ANSWER_S:g} s")
        return told

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """See the port."""
        told = await self._told(question)
        if not isinstance(told, CandleAnswer):
            raise HistoryUnavailable(f"no answer about candles of {question.symbol} within {ANSWER_S:g} s")
        return told

    async def _told(self, question: Asked) -> Told | None:
        future = self._answers.get(question)
        if future is None:
            if self._hatch is None:
                raise HistoryUnavailable("not connected to the broker")
            if self._inquiries.full:
                raise HistoryUnavailable(f"{len(self._inquiries)} questions wait already")
            future = self._answers[question] = asyncio.get_running_loop().create_future()
            self._inquiries.add(question)
            if self._due is None:
                self._due = asyncio.get_running_loop().call_soon(self._send)
        return await asyncio.shield(future)  # others may wait for the same answer

    async def _serve(self, link: Link, stands: Callable[[], None]) -> NoReturn:
        link.take = self._take
        with link.answer_within():
            channel = await link.connection.channel(publisher_confirms=False)
            hatch = Hatch(link, channel)
            await hatch.open()
        try:
            self._hatch = hatch
            stands()
            while link.open:
                if self._doubted():
                    await self._probe(hatch)
                await asyncio.wait({link.connection.closing}, timeout=PROBE_S)
            raise await link.ended()
        finally:
            self._hatch = None
            link.take = ignore
            self._give_up()

    def _doubted(self) -> bool:
        now = self._clock.monotonic()
        return not self._presence.present(now) or self._presence.doubted(now)

    async def _probe(self, hatch: Hatch) -> None:
        if hatch.post.ready:
            # Bound again before: perhaps replies do not come since the exchange was deleted and made anew.
            await hatch.bind_again()
            self._write(hatch, self._inquiries.probe(hatch.queue, self._clock.monotonic()))

    def _send(self) -> None:
        self._due = None
        hatch = self._hatch
        if hatch is not None:
            for request in self._inquiries.requests(hatch.queue, self._clock.monotonic()):
                self._write(hatch, request)

    def _write(self, hatch: Hatch, request: Request) -> None:
        now = self._clock.monotonic()
        if hatch.send(encode_request(request)):
            self._presence.asked(now)
            self._metrics.rpc.requests.inc()
        else:
            self._presence.interrupted(now)
            self._metrics.rpc.unsent.inc()
        asyncio.get_running_loop().call_later(ANSWER_S, self._expire, request.number)

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        for _, _, body in deliveries:
            try:
                reply = decode_reply(body)
            except MalformedMessage:
                self._metrics.rpc.malformed.inc()
                continue
            self._presence.answered()
            self._metrics.rpc.replies.inc()
            settled = self._inquiries.settle(reply, self._clock.monotonic())
            if settled.seconds is None:
                self._metrics.rpc.late.inc()
                continue
            self._metrics.rpc.seconds.observe(settled.seconds)
            for answer in settled.told:
                self._tell(answer.question, answer)

    def _expire(self, number: int) -> None:
        missing = self._inquiries.expire(number)
        self._metrics.rpc.timeouts.inc(len(missing))
        for question in missing:
            self._tell(question, None)

    def _tell(self, question: Asked, answer: Told | None) -> None:
        future = self._answers.pop(question, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def _give_up(self) -> None:
        self._presence.interrupted(self._clock.monotonic())
        self._inquiries.clear()
        for question in [*self._answers]:
            self._tell(question, None)

    def _observe(self, event: Event) -> None:
        if isinstance(event, Blocked):
            self._metrics.blocked.labels("rpc").set(event.blocked)
            self._presence.interrupted(self._clock.monotonic())
        if self._hatch is not None:
            self._hatch.post.observe(event)


class Hatch:
    """Where one connection hands in its requests and gets the replies: a channel and a queue of its own."""

    def __init__(self, link: Link, channel: AbstractChannel) -> None:
        self._link, self._channel = link, channel
        self.post = Post(link, channel)
        self.queue = ""

    async def open(self) -> None:
        """Declare the queue of replies and consume it."""
        self.queue = await declare_replies(self._channel)
        self._link.lifted[self._channel.number, _TAG.encode()] = Wanted(Symbol(""))
        await self._channel.basic_consume(self.queue, _stray, no_ack=True, exclusive=True, consumer_tag=_TAG)

    def send(self, body: bytes) -> bool:
        """Write a request; return whether anybody takes it."""
        parts = list[bytes]()
        self.post.add(parts, topology.RPC, topology.HISTORY_KEY, body)
        return self.post.write(parts)

    async def bind_again(self) -> None:
        """Bind the queue of replies once more."""
        with self._link.answer_within():
            await self._channel.exchange_declare(
                topology.RPC.name, exchange_type=topology.RPC.kind, durable=True, nowait=True
            )
            await self._channel.queue_bind(self.queue, topology.RPC.name, self.queue)


async def _stray(_: object) -> None:
    """Never called: replies are lifted before aiormq sees them."""
