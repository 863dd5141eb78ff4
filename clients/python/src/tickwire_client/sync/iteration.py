"""An iteration without asyncio: items of a feed, fetched in batches from its thread."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from tickwire_client.errors import FeedClosed, NoTick, TickwireClientError, WrongUse
from tickwire_client.sync.background import Background

Item = TypeVar("Item")


class Iteration(Generic[Item]):
    """An iterator, and a context manager that ends it.

    One thread at a time iterates it; `close` may be called from any.  One that is no longer referred to ends by
    itself, as after a `break` out of a loop over it.
    """

    def __init__(
        self,
        background: Background[Any],
        fetch: Callable[[deque[Item]], Coroutine[Any, Any, bool]],
        end: Callable[[], object],
        *,
        of: str,
        timeout: float | None,
    ) -> None:
        """Be what *fetch* appends, bit by bit, until it returns False.

        It runs on the feed's thread, and appends at once what it has taken: who asked may have left.  *end*:
        called there once nobody iterates any more.  *of*: what it is of, for people.
        """
        self._background, self._fetch, self._of, self._timeout = background, fetch, of, timeout
        self._ready: deque[Item] = deque()
        self._coming: Future[bool] | None = None
        self._over = False
        self._reader: dict[str, int] = {}
        """The thread that iterates now.  No lock: Ctrl-C right after taking one would leave it taken."""
        self._end = weakref.finalize(self, background.post, end)
        self._end.atexit = False

    def close(self) -> None:
        """End it: nothing more, not even what waits.  A loop over it in another thread ends."""
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

    def __next__(self) -> Item:
        """Return the next one.

        Raises:
            NoTick: none came within `timeout`; the next call goes on.
            WrongUse: another thread is iterating, or a callback of the feed is.
            TickwireClientError: what ended the subscription; the next call ends the iteration.
        """
        if self._background.here:
            raise WrongUse("a callback cannot wait for ticks on the thread that brings them")
        here = threading.get_ident()
        if self._reader.setdefault("reader", here) != here:
            raise WrongUse("another thread iterates this subscription: let each thread subscribe for itself")
        try:
            return self._next()
        finally:
            self._reader.clear()

    def _next(self) -> Item:
        while not self._over and not self._ready:
            self._wait()
        if self._over:
            raise StopIteration
        return self._ready.popleft()

    def _wait(self) -> None:
        """Wait for the next batch.  After a timeout or Ctrl-C it is still fetched: nothing of it is lost."""
        if self._coming is None:
            self._coming = self._begun()
        try:
            more = self._coming.result(self._timeout)
        except TickwireClientError:
            self._coming = None
            raise
        except CancelledError:
            more = False
        except TimeoutError:
            raise NoTick(f"no tick of {self._of} within {self._timeout:g} s") from None
        self._coming = None
        self._over = not more and not self._ready

    def _begun(self) -> Future[bool]:
        try:
            return self._background.begin(partial(self._fetch, self._ready))
        except FeedClosed:
            self._over = True
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
