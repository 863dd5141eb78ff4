"""The feed for code without asyncio: each call is carried out on the feed's own thread, and waited for."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from tickwire_client.account import Account
from tickwire_client.buffer import LIMIT
from tickwire_client.cursor import Position
from tickwire_client.day import Day
from tickwire_client.errors import BadRequest, FeedClosed
from tickwire_client.events import Gap, Status
from tickwire_client.feed import Feed as Asynchronous
from tickwire_client.recording import Recording
from tickwire_client.sync.background import Background
from tickwire_client.sync.candlesubscription import CandleSubscription
from tickwire_client.sync.subscription import BATCH, Subscription
from tickwire_client.tick import Tick

if TYPE_CHECKING:
    import pandas as pd

Answer = TypeVar("Answer")


class Feed:
    """Ticks of one client, over whatever connections it takes.  Made by `connect`.

    Every call may come from any thread.  A subscription belongs to the thread that iterates it.  After `close` one
    can still ask what is known (`account`, `last`, `cursor`, `day`); `subscribe` and `record` raise `FeedClosed`.
    """

    def __init__(self, background: Background[Asynchronous]) -> None:
        self._background = background
        self._feed = background.kept()
        self._closed = False
        self._end = weakref.finalize(self, background.let_go)
        self._end.atexit = False

    def subscribe(
        self,
        *symbols: str,
        timeout: float | None = None,
        max_rate: float | None = None,
        snapshot: bool = True,
        resume: Mapping[str, Position] | None = None,
        buffer: int = LIMIT,
        on_gap: Callable[[Gap], object] | None = None,
    ) -> Subscription:
        """Return the ticks of *symbols*, as they come; `"*"` alone: of the whole directory and whatever joins it.

        Args:
            symbols: names; several subscriptions may name the same one.
            timeout: seconds without a tick after which the iteration raises `NoTick`; None: it waits for ever.
            max_rate: at most so many ticks per second and symbol, 0.1 to 100; None: every tick.
            snapshot: begin with the newest tick; False: after it.
            resume: positions to go on after, such as `Tick.position` of an earlier run.
            buffer: ticks that may wait for this subscription's reader before it conflates.
            on_gap: told, on the feed's thread, of ticks of *symbols* that are not coming.

        Raises:
            BadRequest: no gateway would accept it.
            FeedClosed: the feed was closed.
            TickwireClientError: the feed has ended.
        """
        self._check(timeout)
        ticks = self._ask(
            lambda feed: feed.subscribe(
                *symbols, max_rate=max_rate, snapshot=snapshot, resume=resume, buffer=buffer, on_gap=on_gap
            )
        )
        return Subscription(self, self._background, ticks, timeout, max(1, min(BATCH, buffer)))

    def candles(
        self, symbol: str, interval: str = "1m", history: int = 300, *, timeout: float | None = None
    ) -> CandleSubscription:
        """Return the candles of *symbol* as updates; the first one has its newest *history* candles.

        Args:
            symbol: one name; its ticks need not be followed.
            interval: `"1s"` or `"1m"`.
            history: 0 to 500 candles.
            timeout: seconds without an update after which the iteration raises `NoTick`; None: it waits for ever.

        Raises:
            BadRequest: no gateway would accept it.
            FeedClosed: the feed was closed.
            TickwireClientError: the feed has ended.
        """
        self._check(timeout)
        updates = self._ask(lambda feed: feed.candles(symbol, interval, history))
        return CandleSubscription(self, self._background, updates, timeout)

    def record(
        self,
        *symbols: str,
        seconds: float | None = None,
        ticks: int | None = None,
        max_rate: float | None = None,
        snapshot: bool = True,
    ) -> Recording:
        """Return what comes of *symbols* within *seconds*, or the first *ticks* of it, with its gaps.

        Raises:
            BadRequest: neither bound is given, or no gateway would accept it.
            FeedClosed: the feed was closed, before or meanwhile.
            TickwireClientError: what ended the subscription.
        """
        return self._background.wait(
            lambda: self._feed.record(*symbols, seconds=seconds, ticks=ticks, max_rate=max_rate, snapshot=snapshot)
        )

    def to_dataframe(
        self,
        *symbols: str,
        seconds: float | None = None,
        ticks: int | None = None,
        max_rate: float | None = None,
        decimal: bool = False,
    ) -> pd.DataFrame:
        """Record, and return the ticks as a frame of pandas; see `record` and `Recording.to_dataframe`.

        Raises:
            MissingExtra: pandas is not installed; said before anything is recorded.
        """
        return self._background.wait(
            lambda: self._feed.to_dataframe(
                *symbols, seconds=seconds, ticks=ticks, max_rate=max_rate, decimal=decimal
            )
        )

    def account(self, symbol: str) -> Account:
        """Return what became of each tick of *symbol* so far, for all its subscriptions together."""
        return self._ask(lambda feed: _copied(feed.account(symbol)))

    def cursor(self, symbol: str) -> Position | None:
        """Return the last position of *symbol* that is accounted for."""
        return self._ask(lambda feed: feed.cursor(symbol))

    def last(self, symbol: str) -> Tick | None:
        """Return the newest tick of *symbol* that came, whether anybody has read it or not."""
        return self._ask(lambda feed: feed.last(symbol))

    def day(self, symbol: str) -> Day | None:
        """Return the figures of *symbol*'s day; None: the gateway has not said any."""
        return self._ask(lambda feed: feed.day(symbol))

    def state(self, symbol: str) -> str:
        """Return, for people, what *symbol* waits for, or `live`, `conflating`, `halted`."""
        return self._ask(lambda feed: feed.state(symbol))

    @property
    def offset_us(self) -> int | None:
        """Microseconds that the gateway's clock is ahead of ours; None until the first pong."""
        return self._ask(lambda feed: feed.clock.offset_us)

    @property
    def status(self) -> Mapping[str, Status]:
        """The last status of each shard that the gateway spoke of on this connection."""
        return self._ask(lambda feed: feed.status)

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return not self._closed and self._ask(lambda feed: feed.connected)

    @property
    def live(self) -> bool:
        """Whether a connection stands and no shard of its feed is known to be stale."""
        return not self._closed and self._ask(lambda feed: feed.live)

    @property
    def violations(self) -> int:
        """Frames that broke the protocol's table of cursors."""
        return self._ask(lambda feed: feed.violations)

    def close(self) -> None:
        """Leave, and wait for the thread's end, at most 5 s.  Loops over its subscriptions end.

        Raises:
            WrongUse: called by a callback, or a callback blocks the thread.
        """
        self._closed = True
        self._end.detach()
        self._background.close()

    def __enter__(self) -> Self:
        if self._closed:
            raise FeedClosed("the feed is closed: connect again")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, timeout: float | None) -> None:
        if timeout is not None and not timeout > 0:
            raise BadRequest(f"timeout is {timeout}, but must be above 0 s, or None")
        if self._closed:
            raise FeedClosed("the feed is closed")

    def _ask(self, question: Callable[[Asynchronous], Answer]) -> Answer:
        feed = self._feed
        return self._background.ask(lambda: question(feed))


def _copied(account: Account) -> Account:
    """Return the account as it stands: the feed's own goes on counting on its thread."""
    return replace(account, missing=Counter(account.missing), unknown=Counter(account.unknown))
