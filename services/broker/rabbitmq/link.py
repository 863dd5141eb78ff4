"""One connection to one address of the broker, from its first byte to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from aiormq.connection import Connection
from yarl import URL

from services.broker.ports import LostReason
from services.broker.rabbitmq.deliveries import Consumer, Deliveries, Delivery, Shared, Wanted
from services.broker.rabbitmq.frames import Closed, Event, NotFrames, SpeaksTls
from services.broker.rabbitmq.losses import Lost, by_close, by_error
from services.broker.rabbitmq.tap import TapListener, TappedTransport
from services.broker.traffic import Traffic
from services.runtime.clock import Clock

DIAL_S: Final = 5.0
"""Longest wait for a transport and the handshakes on it."""
CLOSE_S: Final = 3.0
"""Longest orderly close; aiormq itself waits 2 s for the broker's answer."""
ANSWER_S: Final = 10.0
"""Longest wait for the broker's answer to one request."""
SILENT_HEARTBEATS: Final = 3
_RECHECK_S: Final = 0.1


class Link(TapListener):
    """A connection that stands, or stood.  Made by `dial`.

    Its end is known from `ended`; whoever finds out first may `end` it with a reason.  What comes for its `lifted`
    consumers never reaches aiormq.
    """

    def __init__(self, url: URL, clock: Clock, observe: Callable[[Event], None], traffic: Traffic) -> None:
        self._clock, self._observe, self._traffic = clock, observe, traffic
        self._deliveries = Deliveries()
        self._factory = TappedTransport(clock, self._deliveries, self, traffic)
        self.take: Callable[[Sequence[Delivery]], None] = ignore
        """Takes what came for the lifted consumers that are not acked, once per read."""
        self._verdict: Lost | None = None
        self._heartbeat = int(url.query["heartbeat"])
        self.connection = Connection(url, transport_factory=self._factory)

    @property
    def open(self) -> bool:
        """Whether requests may be made."""
        return self._verdict is None and self.connection.is_opened

    @property
    def lifted(self) -> dict[Consumer, Wanted | Shared]:
        """The lifted consumers.

        Entered before the broker is asked for the consumer: a message may come right behind its answer.
        """
        return self._deliveries.wanted

    @property
    def transport(self) -> asyncio.Transport:
        """The transport under the connection; only for whole frames, written at once."""
        if self._factory.transport is None:
            raise Lost(LostReason.REFUSED, "no transport")
        return self._factory.transport

    def rest(self, seconds: float) -> None:
        """Read nothing for *seconds*."""
        if self._factory.tap is not None:
            self._factory.tap.rest(seconds)

    def end(self, reason: LostReason, detail: str) -> None:
        """End the connection now, without a word to the broker; the first reason stands."""
        self._judge(Lost(reason, detail))
        if self._factory.transport is not None:
            self._factory.transport.abort()

    async def ended(self) -> Lost:
        """Wait for the end and return why."""
        closing = self.connection.closing
        await asyncio.wait({closing})
        return self.verdict(_error_of(closing))

    def verdict(self, error: BaseException | None) -> Lost:
        """Return why this link ended, where all that the caller knows is *error*."""
        return self._verdict or by_error(error or ConnectionError("the broker ended the transport"))

    @contextmanager
    def answer_within(self, seconds: float = ANSWER_S) -> Iterator[None]:
        """End the connection if the block takes longer: a request cannot be taken back.

        Cancelling one makes aiormq close its channel, and with it every consumer there.  Now and then aiormq
        swallows the cancellation, and the block ends as if nothing had been; then it is raised here.
        """
        timer = asyncio.get_running_loop().call_later(
            seconds, self.end, LostReason.SILENT, f"no answer to a request for {seconds:g} s"
        )
        try:
            yield
        finally:
            timer.cancel()
        if is_cancelled():
            raise asyncio.CancelledError

    async def open_up(self) -> None:
        """Connect.

        Raises:
            Lost: with the reason.
        """
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # each loss is logged once, by our supervisor
        attempt = asyncio.ensure_future(self.connection.connect())
        try:
            done, _ = await asyncio.wait({attempt}, timeout=DIAL_S)
        except asyncio.CancelledError:
            await self._give_up(attempt)
            raise
        error = _error_of(attempt) if done else self._too_slow()
        if error is not None:
            await self._give_up(attempt)
            raise self.verdict(error) from error

    async def watch(self) -> None:
        """End the connection as SILENT once nothing was received for three heartbeats."""
        limit = float(self._heartbeat * SILENT_HEARTBEATS)
        while (rest := limit - self._silence()) > 0:
            await asyncio.sleep(rest)
            if self._silence() >= limit:
                # The loop may have slept itself: what came meanwhile is read before this is asked again.
                await asyncio.sleep(_RECHECK_S)
        self.end(LostReason.SILENT, f"nothing received for {limit:g} s")

    async def close(self) -> None:
        """Close in an orderly way if it is still open, in at most 3 s; in any case it is closed afterwards."""
        closing = asyncio.ensure_future(self.connection.close())
        try:
            await asyncio.wait({closing}, timeout=CLOSE_S)
        finally:
            if self._factory.transport is not None:
                self._factory.transport.abort()
            _drop(closing)

    def on_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """See `TapListener`."""
        self.take(deliveries)

    def on_event(self, event: Event) -> None:
        """See `TapListener`."""
        if isinstance(event, Closed):
            if event.channel == 0:
                self._judge(by_close(event))
            else:
                self._traffic.refuse(event.code)
        self._observe(event)

    def on_garbage(self, error: NotFrames) -> None:
        """See `TapListener`."""
        self.end(LostReason.TLS if isinstance(error, SpeaksTls) else LostReason.PROTOCOL, str(error))

    def _too_slow(self) -> Lost:
        reason = LostReason.SILENT if self._factory.transport else LostReason.REFUSED
        return Lost(reason, f"no connection within {DIAL_S:g} s")

    async def _give_up(self, attempt: asyncio.Future[bool]) -> None:
        # The transport first: aiormq's clean-up waits for the peer's answer where there is one to wait for.
        if self._factory.transport is not None:
            self._factory.transport.abort()
        _drop(attempt)
        await asyncio.wait({attempt}, timeout=CLOSE_S)

    def _silence(self) -> float:
        if self._factory.tap is None or not self.transport.is_reading():
            return 0.0  # we are the slow side
        return self._clock.monotonic() - self._factory.tap.heard

    def _judge(self, lost: Lost) -> None:
        if self._verdict is None:
            self._verdict = lost


def is_cancelled() -> bool:
    """Whether this task is being cancelled.

    aiormq fails what waits for a connection that ends with the class CancelledError, as if we were.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _error_of(future: asyncio.Future[Any]) -> BaseException | None:
    return ConnectionError("cancelled by aiormq") if future.cancelled() else future.exception()


def _drop(future: asyncio.Future[Any]) -> None:
    future.cancel()
    future.add_done_callback(_error_of)  # so that asyncio does not report it as never retrieved


def ignore(_: object) -> None:
    """Take or observe nothing."""


@asynccontextmanager
async def dial(
    url: URL, clock: Clock, observe: Callable[[Event], None] = ignore, *, traffic: Traffic | None = None
) -> AsyncIterator[Link]:
    """Connect to *url* for the duration of the block; *observe* is called for each event, and must not raise.

    *traffic* counts what comes.

    Raises:
        Lost: no connection could be made.
    """
    link = Link(url, clock, observe, traffic or Traffic())
    await link.open_up()
    watchdog = asyncio.ensure_future(link.watch())
    try:
        yield link
    finally:
        watchdog.cancel()
        await link.close()
