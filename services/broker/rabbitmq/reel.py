"""A log that is read on and on: from the past at first, then over each connection from where reading ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from aiormq.exceptions import AMQPError

from services.broker.ports import LostReason
from services.broker.rabbitmq.deliveries import Batch
from services.broker.rabbitmq.link import Link, is_cancelled
from services.broker.rabbitmq.playback import Playback
from services.errors import BrokerUnavailable


def _nothing() -> None:
    """Nobody minds."""


class Reel:
    """The place in *stream*, and what plays it.

    *start*: where to begin, `first` or an age such as `120s`, of which RabbitMQ begins at most a chunk too early.
    *take* gets what one read brought, *skipped* is called before what does not follow the last entry; neither may
    raise.
    """

    def __init__(
        self,
        stream: str,
        start: str,
        take: Callable[[Batch], None],
        *,
        prefetch: int,
        skipped: Callable[[], None] = _nothing,
    ) -> None:
        self._stream, self._start, self._take, self._prefetch = stream, start, take, prefetch
        self._skipped = skipped
        self._next: int | str = start
        """The offset of the next entry; before the first one where to begin."""
        self._run = 0
        """Which playing is the present one: what an older one brings is dropped."""
        self._again = asyncio.Event()

    def rewind(self) -> None:
        """Begin again at the start, now or on the next connection."""
        self._begin(self._start)

    def _begin(self, offset: str) -> None:
        self._next = offset
        self._run += 1
        self._again.set()

    async def play(self, link: Link) -> None:
        """Play over *link* until it ends; ends it where the log cannot be read (it is gone, or not up yet)."""
        try:
            await self._play(link)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled() or (link.open and not isinstance(error, BrokerUnavailable | AMQPError)):
                raise
            lost = link.verdict(error)
            link.end(lost.reason, str(lost))

    async def _play(self, link: Link) -> None:
        while link.open:
            self._again.clear()
            playback = await self._started(link)
            await self._end(link)
            if link.open:
                with link.answer_within():
                    await playback.stop()

    async def _started(self, link: Link) -> Playback:
        self._run += 1
        with link.answer_within():
            channel = await link.connection.channel(publisher_confirms=False)
            channel.on_consumer_cancel_callbacks.add(partial(self._deleted, link))
            channel.closing.add_done_callback(partial(self._closed, link, self._run))
            take = partial(self._taken, self._run)
            playback = Playback(link, channel, take, stream=self._stream, prefetch=self._prefetch)
            await playback.start(self._next)
        return playback

    async def _end(self, link: Link) -> None:
        again = asyncio.ensure_future(self._again.wait())
        try:
            await asyncio.wait({again, link.connection.closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            again.cancel()

    def _taken(self, run: int, batch: Batch) -> None:
        if run != self._run:
            return
        if batch.offset is not None:
            # Offsets count entries: a log that was cut beyond our place, or is another one, goes on elsewhere.
            if batch.offset - len(batch.entries) + 1 != self._next:
                self._skipped()
            self._next = batch.offset + 1
        self._take(batch)

    def _deleted(self, link: Link, _: object) -> None:
        # A log made anew counts from 0: where we were means nothing there.  An age would not do: on a log that is
        # still empty the broker takes it for the next entry to come, which may be another one when it looks.
        self._begin("first")
        link.end(LostReason.CLOSED, f"the broker ended the reading of {self._stream}")

    def _closed(self, link: Link, run: int, _: object) -> None:
        if run == self._run and link.open:
            link.end(LostReason.CLOSED, f"the channel that read {self._stream} was closed")
