"""Judges every frame that a gateway says against the promise.  Pure; imports nothing of the client's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from tickwire.canary.stand import Follow, Stand
from tickwire.canary.verdict import Breach, Position, Rule, Violation

EXCUSED: Final = 16
"""Ids of commands whose `resume` a gateway could not use that are remembered; the canary has one under way."""

Frame = Mapping[str, Any]
Found = Iterator[tuple[str | None, Breach]]


class Judge:
    """Judges one logical client over all its connections.

    Attributes:
        stands: where it stands, by symbol.
        found: how often each rule was broken.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.stands = {symbol: Stand() for symbol in symbols}
        self.found = Counter(dict.fromkeys(Rule, 0))
        self._connection = self._frame = 0
        self._excused: list[int] = []
        self._rules: dict[str, Callable[[Frame], Found]] = {
            "subscribed": self._subscribed,
            "unsubscribed": self._unsubscribed,
            "ticks": self._ticks,
            "snapshot": self._snapshot,
            "gap": self._gap,
            "epoch": self._epoch,
            "error": self._error,
            "pong": self._pong,
        }

    def opened(self) -> None:
        """A connection stands; nothing is subscribed on it."""
        self.closed()
        self._connection, self._frame = self._connection + 1, 0

    def closed(self) -> None:
        """The connection is gone; cursors stay, to resume from."""
        self._excused.clear()
        for stand in self.stands.values():
            stand.left()

    def judge(self, frame: object) -> list[Violation]:
        """Return which rules a frame, as parsed, breaks; an op that is not known breaks none."""
        self._frame += 1
        violations = []
        try:
            for symbol, breach in self._breaches(frame):
                violations.append(self._violation(symbol, breach))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            violations.append(self._violation(None, Breach(Rule.MALFORMED, repr(error)[:80])))
        return violations

    def _violation(self, symbol: str | None, breach: Breach) -> Violation:
        self.found[breach.rule] += 1
        return Violation(breach.rule, symbol, breach.cursor, breach.detail, self._connection, self._frame)

    # ----------------------------------------------------------------------------------------------------- frames

    def _breaches(self, frame: object) -> Found:
        if not isinstance(frame, dict):
            raise TypeError(f"{type(frame).__name__} in place of an object")
        op = frame["op"]
        if (op == "welcome") is not (self._frame == 1):
            yield None, Breach(Rule.WELCOME, f"{op!r:.40} as frame {self._frame}")
        if (rule := self._rules.get(op)) is not None:
            yield from rule(frame)

    def _subscribed(self, frame: Frame) -> Found:
        excused = frame.get("id") in self._excused
        for symbol, given in frame["symbols"].items():
            position = None if given["epoch"] is None else Position(_whole(given["epoch"]), _whole(given["seq"]))
            if (stand := self.stands.get(symbol)) is not None:
                yield from _of(symbol, stand.subscribed(position, may_begin_anew=excused))
        for symbol in frame.get("rejected") or ():
            if (stand := self.stands.get(symbol)) is not None:
                stand.left(Follow.REJECTED)

    def _unsubscribed(self, frame: Frame) -> Found:
        unasked = frame.get("id") is None
        for symbol in frame["symbols"]:
            stand = self._of(symbol)
            if unasked and stand.state is not Follow.FOLLOWED:
                yield symbol, Breach(Rule.NOT_SUBSCRIBED, "unsubscribed", stand.cursor)
            stand.left(Follow.REJECTED if unasked else Follow.PENDING)

    def _ticks(self, frame: Frame) -> Found:
        _whole(frame["sent"])
        for tick in frame["data"]:
            _whole(tick["ts"])
            stand = self._of(symbol := tick["symbol"])
            yield from _of(symbol, stand.tick(_whole(tick["seq"]), _whole(tick.get("skipped", 0))))

    def _snapshot(self, frame: Frame) -> Found:
        for tick in frame["data"]:
            stand = self._of(symbol := tick["symbol"])
            yield from _of(symbol, stand.snapshot(Position(_whole(frame["epoch"]), _whole(tick["seq"]))))

    def _gap(self, frame: Frame) -> Found:
        last = None if frame["to"] is None else _whole(frame["to"])
        stand = self._of(symbol := frame["symbol"])
        yield from _of(symbol, stand.gap(_whole(frame["epoch"]), _whole(frame["from"]), last, frame["reason"]))

    def _epoch(self, frame: Frame) -> Found:
        stand = self._of(symbol := frame["symbol"])
        yield from _of(symbol, stand.epoch(_whole(frame["epoch"])))

    def _error(self, frame: Frame) -> Found:
        if frame["code"] == "bad_resume":
            self._excused = [*self._excused[1 - EXCUSED :], frame["id"]]
        return iter(())

    def _pong(self, frame: Frame) -> Found:
        _whole(frame["id"])
        _whole(frame["server_time"])
        return iter(())

    def _of(self, symbol: str) -> Stand:
        """Return where *symbol* stands; one that nobody follows is not subscribed, and nothing is kept of it."""
        return self.stands.get(symbol) or Stand()


def _of(symbol: str, breaches: Iterable[Breach]) -> Found:
    return ((symbol, breach) for breach in breaches)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r:.40} in place of a whole number")
    return value
