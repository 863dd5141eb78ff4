"""A thread with an event loop of its own, on which one feed lives.

It knows nothing of ticks.  Who asks waits on a `concurrent.futures.Future`, so that Ctrl-C interrupts the waiting
and not the feed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final, Generic, TypeVar

from tickwire_client.errors import FeedClosed, WrongUse

JOIN_S: Final = 5.0
"""Longest wait for the thread's end: the connection's close takes 2 s at most, the rest is a callback's own."""
ANSWER_S: Final = 10.0
"""Longest wait for an answer that needs no gateway: only a callback that blocks takes so long."""
_NAME: Final = "tickwire_client"

Kept = TypeVar("Kept")
Answer = TypeVar("Answer")
Work = Callable[[], Coroutine[Any, Any, Answer]]


class Background(Generic[Kept]):
    """Runs *context* on a loop of its own thread until `close`; see the module."""

    def __init__(self, context: AbstractAsyncContextManager[Kept]) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._over = False
        self._tasks: set[asyncio.Future[Any]] = set()
        self._kept: Future[Kept] = Future()
        self._stop = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        # A daemon: a program that never closes its feed ends all the same.
        self._thread = threading.Thread(target=self._run, args=(context,), name=_NAME, daemon=True)
        self._thread.start()

    def kept(self) -> Kept:
        """Return what *context* yields, once it does.

        Raises:
            Exception: what entering it raised; the thread has ended.
        """
        try:
            return self._kept.result()
        except BaseException:  # Ctrl-C, too: nobody else would end the thread
            self.close()
            raise

    @property
    def here(self) -> bool:
        """Whether the caller is this thread, as a callback is."""
        return threading.current_thread() is self._thread

    def begin(self, work: Work[Answer]) -> Future[Answer]:
        """Run *work* on the loop, where it is called: Ctrl-C here leaves no coroutine that nobody awaits.

        Raises:
            FeedClosed: the thread has ended, or is about to.
        """
        future: Future[Answer] = Future()
        with self._lock:
            if self._over:
                raise FeedClosed("the feed is closed")
            self._loop.call_soon_threadsafe(self._start, work, future)
        return future

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return *question*'s answer from the loop's thread; once that has ended nobody else is there to disturb.

        Raises:
            WrongUse: a callback blocks the thread.
        """
        if self.here or not self._thread.is_alive():
            return question()
        try:
            future = self.begin(partial(_answered, question))
        except FeedClosed:
            self._thread.join(JOIN_S)
            return question()
        try:
            return future.result(ANSWER_S)
        except TimeoutError:
            raise WrongUse(f"the feed did not answer within {ANSWER_S:g} s: does a callback block it?") from None

    def wait(self, work: Work[Answer]) -> Answer:
        """Run *work* on the loop, for as long as it takes; Ctrl-C cancels it.

        Raises:
            FeedClosed: the feed was closed, before or meanwhile.
            WrongUse: called by a callback.
            Exception: what *work* raises.
        """
        if self.here:
            raise WrongUse("a callback cannot wait on the thread that it holds up")
        future = self.begin(work)
        try:
            return future.result()
        except CancelledError:
            raise FeedClosed("the feed was closed meanwhile") from None
        except BaseException:
            future.cancel()
            raise

    def post(self, job: Callable[[], object]) -> None:
        """Let *job* run on the loop soon; where it has ended, never."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(job)

    def let_go(self) -> None:
        """Let the thread end, and do not wait for it."""
        self.post(self._leave)

    def close(self) -> None:
        """End the thread, and wait for it; at most `JOIN_S`.

        Raises:
            WrongUse: called by a callback, or a callback blocks the thread.
        """
        if self.here:
            raise WrongUse("a callback cannot close the feed that calls it: raise an exception instead")
        self.let_go()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            raise WrongUse(f"the feed's thread did not end within {JOIN_S:g} s: does a callback block it?")

    # ---------------------------------------------------------------------------------------------- on its thread

    def _run(self, context: AbstractAsyncContextManager[Kept]) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._keep(context))
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits in `kept`
            if not self._kept.done():
                self._kept.set_exception(error)

    async def _keep(self, context: AbstractAsyncContextManager[Kept]) -> None:
        self._main = asyncio.current_task()
        try:
            if self._stop.is_set():
                raise FeedClosed("the feed is closed")
            async with context as kept:
                self._kept.set_result(kept)
                await self._stop.wait()
        finally:
            with self._lock:
                self._over = True
            await asyncio.sleep(0)  # what was posted before begins now, and is cancelled with everything else

    def _start(self, work: Work[Answer], future: Future[Answer]) -> None:
        task = asyncio.ensure_future(work())
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, future))
        future.add_done_callback(lambda future: self.post(task.cancel) if future.cancelled() else None)

    def _done(self, future: Future[Answer], task: asyncio.Future[Answer]) -> None:
        self._tasks.discard(task)
        with suppress(InvalidStateError):  # who asked has left
            if task.cancelled():
                future.cancel()
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

    def _leave(self) -> None:
        self._stop.set()
        if self._main is not None and not self._kept.done():
            self._main.cancel()


async def _answered(question: Callable[[], Answer]) -> Answer:
    return question()
