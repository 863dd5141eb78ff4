"""What the synchronous `Feed.subscribe` returns: ticks, one after another."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, Final, Self

from tickwire_client.errors import FeedClosed, NoTick, TickwireClientError, WrongUse
from tickwire_client.subscription import Subscription as Ticks
from tickwire_client.sync.background import Background
from tickwire_client.tick import Tick

BATCH: Final = 256
"""Most ticks that cross from the feed's thread at once, or `buffer` if that is less: they come on top of it."""


class Subscription:
    """An iterator of ticks, and a context manager that ends it.

    One thread at a time iterates it; `close` may be called from any.  One that is no longer referred to ends by
    itself, as after a `break` out of `for … in feed.subscribe(…)`.
    """

    def __init__(
        self, feed: object, background: Background[Any], ticks: Ticks, timeout: float | None, batch: int
    ) -> None:
        self._feed = feed
        """Kept, since a feed that nobody holds ends."""
        self._background, self._ticks, self._timeout, self._batch = background, ticks, timeout, batch
        self._ready: deque[Tick] = deque()
        self._coming: Future[list[Tick]] | None = None
        self._over = False
        self._reading = threading.Lock()
        self._end = weakref.finalize(self, _end, background, ticks)
        self._end.atexit = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it is of."""
        return self._ticks.symbols

    @property
    def waiting(self) -> int:
        """Ticks that wait to be read."""
        return self._background.ask(lambda: self._ticks.waiting) + len(self._ready)

    @property
    def conflated(self) -> int:
        """Ticks that were left out on this side, since this subscription wants fewer, or was read too slowly."""
        return self._background.ask(lambda: self._ticks.conflated)

    def close(self) -> None:
        """End it: no more ticks, not even those that wait.  A loop over it in another thread ends."""
        self._over = True
        self._end()

    def __iter__(self) -> Self:
        """Begin a loop; a second one goes on where the first one left off.

        Raises:
            WrongUse: it has ended already.
        """
        if self._over:
            raise WrongUse("this subscription is over, there is nothing left to iterate: subscribe again")
        return self

    def __next__(self) -> Tick:
        """Return the next tick.

        Raises:
            NoTick: none came within `timeout`; the next call goes on.
            WrongUse: another thread is iterating, or a callback of the feed is.
            TickwireClientError: what ended the subscription; the next call ends the iteration.
        """
        if self._background.here:
            raise WrongUse("a callback cannot wait for ticks on the thread that brings them")
        if not self._reading.acquire(blocking=False):
            raise WrongUse("another thread iterates this subscription: let each thread subscribe for itself")
        try:
            return self._next()
        finally:
            self._reading.release()

    def _next(self) -> Tick:
        if self._over:
            raise StopIteration
        if not self._ready:
            self._fetch()
        return self._ready.popleft()

    def _fetch(self) -> None:
        """Wait for ticks.  What is awaited stays awaited after a timeout or Ctrl-C: nothing of it is lost."""
        if self._coming is None:
            self._coming = self._begun()
        try:
            ticks = self._coming.result(self._timeout)
        except TickwireClientError:
            self._coming = None
            raise
        except CancelledError:
            ticks = []
        except TimeoutError:
            raise NoTick(f"no tick of {', '.join(self.symbols)} within {self._timeout:g} s") from None
        self._ready, self._coming = deque(ticks), None  # in one step, which Ctrl-C cannot divide
        if not ticks:
            self._over = True
            raise StopIteration

    def _begun(self) -> Future[list[Tick]]:
        try:
            return self._background.begin(_batch(self._ticks, self._batch))
        except FeedClosed:
            self._over = True
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _batch(ticks: Ticks, most: int) -> list[Tick]:
    """Wait for the next tick, and take what has come besides; empty: there are no more."""
    try:
        batch = [await anext(ticks)]
    except StopAsyncIteration:
        return []
    while len(batch) < most and (tick := ticks.take()) is not None:
        batch.append(tick)
    return batch


def _end(background: Background[Any], ticks: Ticks) -> None:
    """End a subscription on its own thread, from any."""
    background.post(ticks.end)
