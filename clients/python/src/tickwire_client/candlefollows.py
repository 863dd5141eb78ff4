"""All candles of a feed: which of them to ask the gateway for, to ask again, or to end.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tickwire_client.candle import Candle, CandleRejection, CandleUpdate
from tickwire_client.errors import NOT_ENTITLED
from tickwire_client.follow import NOW

Key = tuple[str, str]
"""Symbol and interval."""
BATCH: Final = 200
"""Most symbols of one command."""
TRANSIENT: Final = frozenset({"feed_unavailable", "cancelled"})
"""Rejections after which the same is asked again."""
_NEVER: Final = float("inf")


class CandleAsking(NamedTuple):
    """What one subscribe command asks for."""

    interval: str
    history: int
    symbols: Sequence[str]


class CandleFollow:
    """The candles of one symbol and interval."""

    __slots__ = ("alone", "asked", "history", "key", "live", "retry_at", "served", "whole")

    def __init__(self, key: Key, history: int) -> None:
        self.key, self.history = key, history
        self.asked: int | None = None
        """The command that asked for them on this connection."""
        self.live = self.whole = False
        """Whether it was answered; whether its reset has come."""
        self.served = self.alone = False
        """Whether it ever was; whether it is asked for in a command of its own."""
        self.retry_at = NOW


class CandleFollows:
    """By symbol and interval what is wanted."""

    def __init__(self) -> None:
        self._by_key: dict[Key, CandleFollow] = {}
        self._todo: dict[Key, CandleFollow] = {}
        self._ending: dict[Key, None] = {}
        self._asked: dict[int, CandleAsking] = {}

    def want(self, key: Key, history: int) -> None:
        """Follow *key*, or follow it anew with so many candles to begin with."""
        follow = self._by_key.setdefault(key, CandleFollow(key, history))
        follow.history, follow.retry_at = history, NOW
        self._todo[key] = follow

    def leave(self, key: Key) -> None:
        """Follow *key* no longer."""
        follow = self._by_key.pop(key, None)
        self._todo.pop(key, None)
        if follow is not None and follow.asked is not None:
            self._ending[key] = None

    # ------------------------------------------------------------------------------------------------ to be said

    @property
    def due(self) -> float:
        """When something of it is to be said; infinity: once something changes."""
        return min((follow.retry_at for follow in self._todo.values()), default=_NEVER)

    def ending(self) -> tuple[str, list[str]] | None:
        """Return interval and symbols whose end the gateway is to be told now."""
        if not self._ending:
            return None
        interval = next(iter(self._ending))[1]
        keys = [key for key in self._ending if key[1] == interval][:BATCH]
        for key in keys:
            del self._ending[key]
        return interval, [symbol for symbol, _ in keys]

    def asking(self, now: float) -> CandleAsking | None:
        """Return the next subscribe command: what goes into one with the first one that is due."""
        due = [follow for follow in self._todo.values() if follow.retry_at <= now]
        if not due:
            return None
        first = due[0]
        interval = first.key[1]
        alike = [f for f in due if (f.key[1], f.history, f.alone) == (interval, first.history, False)]
        taken = [first] if first.alone else alike[:BATCH]
        return CandleAsking(interval, first.history, [follow.key[0] for follow in taken])

    def asked(self, asking: CandleAsking, identity: int) -> None:
        """The command was sent, as *identity*."""
        self._asked[identity] = asking
        for symbol in asking.symbols:
            self._todo.pop((symbol, asking.interval)).asked = identity

    # ----------------------------------------------------------------------------------------------- what was said

    def subscribed(self, frame: Mapping[str, Any], retry_at: float) -> Iterator[CandleRejection]:
        """Take the answer to one of our commands; yield what will not be served."""
        identity, interval = frame["id"], frame["candles"]
        for symbol in frame["symbols"]:
            follow = self._by_key.get((symbol, interval))
            if follow is not None and follow.asked == identity:
                follow.live, follow.whole = True, False
        for symbol, reason in (frame.get("rejected") or {}).items():
            follow = self._by_key.get((symbol, interval))
            if follow is not None and follow.asked == identity:
                yield from self._rejected(follow, str(reason), retry_at)
        if not frame.get("pending"):
            self._asked.pop(identity, None)

    def ended(
        self, symbols: Iterable[str], interval: str, reason: str, retry_at: float
    ) -> Iterator[CandleRejection]:
        """The gateway has ended something by itself; yield what will not be served again."""
        for symbol in symbols:
            if (follow := self._by_key.get((symbol, interval))) is not None:
                yield from self._rejected(follow, reason, retry_at)

    def refused(self, identity: int, reason: str) -> Iterator[CandleRejection]:
        """A command was refused as a whole; where it had several symbols, each is asked for alone."""
        asking = self._asked.pop(identity, None)
        for symbol in asking.symbols if asking else ():
            follow = self._by_key.get((symbol, asking.interval if asking else ""))
            if follow is None or follow.asked != identity or asking is None:
                continue
            if len(asking.symbols) > 1:
                follow.alone, follow.asked = True, None
                self._todo[follow.key] = follow
            else:
                self._forget(follow)
                yield CandleRejection(*follow.key, reason)

    def unsupported(self, identity: int) -> Iterator[CandleRejection]:
        """The answer is one about ticks: the gateway is older than candles."""
        asking = self._asked.pop(identity)
        for symbol in asking.symbols:
            if (follow := self._by_key.get((symbol, asking.interval))) is not None:
                self._forget(follow)
                yield CandleRejection(*follow.key, "candles_unsupported")

    def take(self, frame: Mapping[str, Any]) -> Iterator[CandleUpdate]:
        """Take a frame of candles; what belongs to an earlier subscription is for nobody."""
        symbol, interval = frame["symbol"], frame["interval"]
        follow = self._by_key.get((symbol, interval))
        reset = bool(frame.get("reset", False))
        if follow is None or not follow.live or not (reset or follow.whole):
            return
        follow.whole = follow.served = True
        rows = tuple(Candle.of(symbol, interval, row) for row in frame["data"])
        yield CandleUpdate(symbol, interval, rows, reset)

    def disconnected(self) -> None:
        """The connection is gone: everything is to be asked for anew."""
        self._ending.clear()
        self._asked.clear()
        self._todo = dict(self._by_key)
        for follow in self._todo.values():
            follow.asked, follow.live, follow.whole, follow.retry_at = None, False, False, NOW

    def _rejected(self, follow: CandleFollow, reason: str, retry_at: float) -> Iterator[CandleRejection]:
        follow.asked, follow.live, follow.whole = None, False, False
        if reason in TRANSIENT or (follow.served and reason not in NOT_ENTITLED):
            follow.retry_at = retry_at
            self._todo[follow.key] = follow
        else:
            self._forget(follow)
            yield CandleRejection(*follow.key, reason)

    def _forget(self, follow: CandleFollow) -> None:
        self._by_key.pop(follow.key, None)
        self._todo.pop(follow.key, None)
