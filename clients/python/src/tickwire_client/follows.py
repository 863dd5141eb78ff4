"""All symbols of a feed: which of them to ask the gateway for, to ask again, or to end.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tickwire_client.commands import Asking, fitting
from tickwire_client.cursor import Position
from tickwire_client.errors import NOT_ENTITLED
from tickwire_client.follow import NOW, Follow

EVERYTHING: Final = "*"
"""Stands for the whole directory and whatever joins it."""
CANCELLED: Final = "cancelled"
UNAVAILABLE: Final = "feed_unavailable"
_NEVER: Final = float("inf")


class Follows:
    """By symbol what is wanted and not yet ended, and whether everything is.

    What may have something to say is kept apart, so that a tick costs one look-up and no more.
    """

    def __init__(self) -> None:
        self.by_symbol: dict[str, Follow] = {}
        self._todo: dict[str, Follow] = {}

    def get(self, symbol: str) -> Follow | None:
        """Return what is known of *symbol*."""
        return self.by_symbol.get(symbol)

    def wants(self, symbol: str) -> bool:
        """Whether *symbol* is followed."""
        follow = self.by_symbol.get(symbol)
        return follow is not None and (follow.wanted or follow.next is not None)

    # --------------------------------------------------------------------------------------------------- from here

    def want(
        self, symbol: str, rate: float | None, *, snapshot: bool = True, start: Position | None = None
    ) -> None:
        """Follow *symbol* at *rate*; of one that is followed already only the rate changes."""
        follow = self.by_symbol.get(symbol)
        if follow is None or (not follow.wanted and follow.asked is None):
            follow = self.by_symbol[symbol] = Follow(symbol, snapshot=snapshot, start=start)
        elif not follow.wanted:  # what the wire still says of it is for nobody: it ends first
            follow.next = follow.next or Follow(symbol, snapshot=snapshot, start=start)
            follow.next.rate = rate
            return
        follow.named, follow.rate = True, rate
        self._todo[symbol] = follow

    def leave(self, symbol: str) -> None:
        """Follow *symbol* no longer."""
        if (follow := self.by_symbol.get(symbol)) is None:
            return
        follow.named, follow.next = False, None
        follow.wanted = symbol != EVERYTHING and self._everything is not None
        self._todo[symbol] = follow
        if symbol == EVERYTHING:
            for other in self.by_symbol.values():
                other.wanted = other.named
                self._todo[other.symbol] = other

    @property
    def _everything(self) -> Follow | None:
        follow = self.by_symbol.get(EVERYTHING)
        return follow if follow is not None and follow.wanted else None

    def rate(self, follow: Follow) -> float | None:
        """The fastest rate that anybody here wants of it; None: every tick."""
        rates = [follow.rate] if follow.named else []
        if (everything := self._everything) is not None and everything is not follow:
            rates.append(everything.rate)
        return None if None in rates else max(filter(None, rates), default=None)

    # ------------------------------------------------------------------------------------------------ to be said

    @property
    def due(self) -> float:
        """When something of it is to be said; infinity: once something changes."""
        times = (follow.retry_at for follow in self._todo.values() if not follow.leaving)
        return min(times, default=_NEVER)

    def beyond(self, most: int) -> list[str]:
        """Drop and return the newest symbols that one connection cannot hold."""
        if len(self.by_symbol) <= most:
            return []
        named = [follow for follow in self.by_symbol.values() if follow.wanted and follow.symbol != EVERYTHING]
        dropped = [follow.symbol for follow in named[most:] if follow.asked is None and follow.named]
        for symbol in dropped:
            self._forget(symbol)
        return dropped

    def ending(self) -> list[str]:
        """Return the symbols whose end the gateway is to be told now."""
        for follow in [follow for follow in self._todo.values() if not follow.wanted and follow.asked is None]:
            self._forget(follow.symbol)
        everything = self._todo.get(EVERYTHING)
        if everything is not None and not everything.wanted and not everything.leaving:
            going = [follow for follow in self.by_symbol.values() if follow.asked is not None]
            for follow in going:  # those with a name of their own come back, from where they were
                follow.leaving = True
            return [EVERYTHING]
        going = [follow for follow in self._todo.values() if not follow.wanted and not follow.leaving]
        for follow in going:
            follow.leaving = True
            self._todo.pop(follow.symbol)
        return [follow.symbol for follow in going]

    def asking(self, now: float, message_bytes: int) -> Asking | None:
        """Return the next subscribe command: the symbols that go into one with the first one that is due."""
        due = [f for f in self._todo.values() if f.wanted and not f.leaving and f.retry_at <= now]
        for follow in [f for f in due if f.asked is not None and f.asked_rate == self.rate(f)]:
            self._todo.pop(follow.symbol)
            due.remove(follow)
        named = [follow for follow in due if follow.symbol != EVERYTHING]
        if not named:  # everything comes last: what has a position names it first
            return Asking(due, due[0].rate, due[0].snapshot) if due else None
        rate, snapshot = self.rate(named[0]), named[0].snapshot
        alike = [f for f in named if self.rate(f) == rate and f.snapshot == snapshot]
        return Asking(fitting(alike, message_bytes), rate, snapshot)

    def asked(self, asking: Asking, identity: int) -> None:
        """The command was sent, as *identity*."""
        for follow in asking.follows:
            follow.asked, follow.asked_rate = identity, asking.rate
            self._todo.pop(follow.symbol, None)

    # ----------------------------------------------------------------------------------------------- what was said

    def accepted(
        self, symbol: str, identity: int, given: Mapping[str, Any] | None, *, everything: bool
    ) -> Follow | None:
        """Return what the gateway now follows; of *everything*, one that nobody named is taken up."""
        follow = self.by_symbol.get(symbol)
        if not everything:
            return follow
        if follow is None:
            follow = self.by_symbol[symbol] = Follow(symbol)
            follow.named = False
            follow.wanted = self._everything is not None
        rate = (given or {}).get("max_rate")
        follow.asked, follow.asked_rate = identity, None if rate is None else float(rate)
        self._todo[symbol] = follow
        return follow

    def rejected(self, symbol: str, identity: int, reason: str, retry_at: float, *, final: bool = False) -> bool:
        """Return whether *symbol* is followed no more; else it is asked for again at *retry_at*.

        One that was once served is not misspelled: a directory may change, so it is asked for again.
        """
        follow = self.by_symbol.get(symbol)
        if follow is None or follow.asked != identity or follow.leaving:
            return False
        if reason == CANCELLED:
            self.put_off(follow, "waiting", NOW)
        elif not final and (reason == UNAVAILABLE or follow.account.delivered) and reason not in NOT_ENTITLED:
            self.put_off(follow, reason.replace("_", " "), retry_at)
        else:
            self._forget(symbol)
            return True
        return False

    def revoked(self, symbol: str) -> bool:
        """Return whether *symbol*, which the gateway has ended for good, was followed until now."""
        follow = self.by_symbol.get(symbol)
        if follow is None or follow.leaving:
            return False
        self._forget(symbol)
        return True

    def put_off(self, follow: Follow, state: str, until: float) -> None:
        """*follow* is not served; ask again at *until*."""
        follow.put_off(state, until)
        self._todo[follow.symbol] = follow

    def ended(self, names: Iterable[str]) -> None:
        """`unsubscribed`: nothing of *names* follows."""
        names = list(self.by_symbol) if EVERYTHING in names else names
        for follow in [self.by_symbol[name] for name in names if name in self.by_symbol]:
            if follow.leaving:
                follow.left()
                self._replace(follow)

    def disconnected(self) -> None:
        """The connection is gone: everything is to be asked for anew."""
        self._todo.clear()
        for follow in list(self.by_symbol.values()):
            follow.disconnected()
            self._replace(follow)

    def _replace(self, follow: Follow) -> None:
        """Go on with who comes after *follow*, if it was not wanted itself."""
        if follow.wanted:
            self._todo[follow.symbol] = follow
        elif follow.next is not None:
            self.by_symbol[follow.symbol] = self._todo[follow.symbol] = follow.next
        else:
            self._forget(follow.symbol)

    def _forget(self, symbol: str) -> None:
        self.by_symbol.pop(symbol, None)
        self._todo.pop(symbol, None)
