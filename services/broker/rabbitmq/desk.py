"""The RabbitMQ side of `services.broker.history.Desk`: who answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Final, NoReturn

from aiormq.abc import AbstractChannel
from prometheus_client import CollectorRegistry

from services.broker import topology
from services.broker.history import CandleAnswer, Desk, Question, Respondent
from services.broker.metrics import BrokerMetrics, RpcMetrics
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.content import MAX_BODY
from services.broker.rabbitmq.deliveries import Batch, Wanted
from services.broker.rabbitmq.frames import Blocked, Event, ack_frame
from services.broker.rabbitmq.link import Link, ignore
from services.broker.rabbitmq.post import Post
from services.broker.rabbitmq.queues import bind_requests, declare_requests
from services.broker.rabbitmq.supervisor import Supervisor
from services.broker.rpc import Asked, Request, Told, decode_request, encode_replies
from services.errors import MalformedMessage
from services.market.symbol import Symbol
from services.runtime.clock import Clock

PREFETCH: Final = 8
"""Requests that the broker hands over before the first is answered; what a killed desk leaves to the others."""
ANSWERS_BYTES: Final = 4 * 1024**2
"""Bytes of ticks in the answers to one request, after which its other questions are left to the asker's next
attempt: with the prefetch this bounds what waits for a broker that does not read."""
REBIND_S: Final = 5.0
"""Between two bindings of the request queue, 0.3 ms each: an exchange made anew forgets it without any event."""
_CANDLE_BYTES: Final = 110
"""Of a candle in a reply, about."""
_tags = count(1)
"""Consumer tags of this process; none is used twice (RabbitMQ 4.3.7 keeps a cancelled one for a while)."""


class RabbitDesk(Desk):
    """Answers over one connection that does nothing else; *url* and *name* as for `RabbitSource`."""

    def __init__(self, url: str, *, name: str, clock: Clock, metrics: BrokerMetrics | None = None) -> None:
        self._metrics = metrics or BrokerMetrics(CollectorRegistry())
        self._addresses = parse_addresses(url, name=f"{name} answer")
        self._supervisor = Supervisor(self._addresses, "answer", clock=clock, metrics=self._metrics)
        self._open = False
        self._turned = asyncio.Event()
        self._shift: Shift | None = None

    async def run(self, respondent: Respondent) -> None:
        """Connect, answer, reconnect; ends by cancellation only, and the connection is closed then."""
        await self._supervisor.run(partial(self._serve, respondent), ignore, self._observe)

    def open(self) -> None:
        """See the port."""
        self._open = True
        self._turned.set()

    def close(self) -> None:
        """See the port."""
        self._open = False
        self._turned.set()

    async def _serve(self, respondent: Respondent, link: Link, stands: Callable[[], None]) -> NoReturn:
        with link.answer_within():
            channel = await declare_requests(link, len(self._addresses))
            await channel.basic_qos(prefetch_count=PREFETCH)
        shift = Shift(link, channel, respondent, self._metrics.rpc)
        try:
            self._shift = shift
            stands()
            while link.open:
                self._turned.clear()
                await shift.turn(open_=self._open)
                await self._next_turn(link)
            raise await link.ended()
        finally:
            self._shift = None

    async def _next_turn(self, link: Link) -> None:
        turned = asyncio.ensure_future(self._turned.wait())
        try:
            await asyncio.wait(
                {turned, link.connection.closing}, timeout=REBIND_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            turned.cancel()

    def _observe(self, event: Event) -> None:
        if isinstance(event, Blocked):
            self._metrics.blocked.labels("answer").set(event.blocked)
        if self._shift is not None:
            self._shift.post.observe(event)


class Shift:
    """A desk's work on one connection."""

    def __init__(self, link: Link, channel: AbstractChannel, respondent: Respondent, metrics: RpcMetrics) -> None:
        self._link, self._channel, self._respondent, self._metrics = link, channel, respondent, metrics
        self.post = Post(link, channel)
        self._tag = ""

    async def turn(self, *, open_: bool) -> None:
        """Begin or end to take requests; where nothing changes, bind their queue again."""
        with self._link.answer_within():
            if open_ and not self._tag:
                await self._begin()
            elif self._tag and not open_:
                await self._end()
            elif open_ and self.post.ready:
                await bind_requests(self._channel)

    async def _begin(self) -> None:
        self._tag = f"requests-{next(_tags)}"
        self._link.lifted[self._channel.number, self._tag.encode()] = Wanted(Symbol(""), self._take)
        await self._channel.basic_consume(topology.HISTORY, _stray, consumer_tag=self._tag)

    async def _end(self) -> None:
        tag, self._tag = self._tag, ""
        await self._channel.basic_cancel(tag)  # what comes before its answer is answered
        del self._link.lifted[self._channel.number, tag.encode()]

    def _take(self, batch: Batch) -> None:
        parts = list[bytes]()
        try:
            if self.post.ready:
                for _, _, body in batch.entries:
                    self._answer(parts, body)
            else:  # nobody takes answers, and when somebody does, the askers will have given up
                self._metrics.unsent.inc(len(batch.entries))
        finally:
            # Acked behind the replies and in any case: eight requests without an ack, and no more would come.
            self.post.write([*parts, ack_frame(batch.channel, batch.number)], waits=True)

    def _answer(self, parts: list[bytes], body: bytes) -> None:
        try:
            request = decode_request(body)
        except MalformedMessage:
            self._metrics.malformed.inc()
            return
        for reply in encode_replies(request.number, self._told(request)):
            if len(reply) > MAX_BODY:  # the asker would take it for no AMQP and end its connection
                self._metrics.left.inc()
            else:
                self.post.add(parts, topology.RPC, request.reply_to, reply)

    def _told(self, request: Request) -> list[Told]:
        told, size = list[Told](), 0
        for question in request.asked:
            if size > ANSWERS_BYTES:
                self._metrics.left.inc(len(request.asked) - len(told))
                break
            answer = self._answer_to(question)
            size += _bytes_of(answer)
            told.append(answer)
        self._metrics.answered.inc(len(told))
        return told

    def _answer_to(self, question: Asked) -> Told:
        if isinstance(question, Question):
            return self._respondent.respond(question)
        return self._respondent.candles(question)


def _bytes_of(answer: Told) -> int:
    if isinstance(answer, CandleAnswer):
        return len(answer.candles) * _CANDLE_BYTES
    return sum(len(line) for _, line in answer.ticks)


async def _stray(_: object) -> None:
    """Never called: requests are lifted before aiormq sees them."""
