"""The turnstile: which symbol is bound or unbound at the broker next, and when.  Pure.

Symbols that have followers already come first: their clients miss ticks (the connection was lost, or the queue).
Then those that clients wait for, one client after the other: who asks for a thousand delays itself.  Last come
those that nobody follows any more.  Nothing is refused here; what waits is bounded by what clients ask for, once
per client and symbol.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.admission.limits import TokenBucket
from gateway.intents import Close, Open, Rebind
from services.market.symbol import Symbol

Transition = Open | Close | Rebind


@dataclass(slots=True)
class Passage:
    """What went through, from the start."""

    made: int = 0
    """Transitions that the broker was asked for."""
    delayed: int = 0
    """Of them, those that had to wait."""
    waited: float = 0.0
    """Seconds that they waited, in all."""


class _Waiting(NamedTuple):
    transition: Transition
    since: float


_Queue = OrderedDict[Symbol, _Waiting]


class Turnstile:
    """Transitions that wait: at most *slots* are under way at once, and *bucket* paces them, if there is one."""

    def __init__(self, slots: int, bucket: TokenBucket | None) -> None:
        self.passage = Passage()
        self._free = slots
        self._bucket = bucket
        self._missed: _Queue = OrderedDict()
        self._wanted: OrderedDict[object, _Queue] = OrderedDict()
        """By client, the next one's turn first."""
        self._unwanted: _Queue = OrderedDict()

    def __len__(self) -> int:
        return len(self._missed) + len(self._unwanted) + sum(map(len, self._wanted.values()))

    def put(self, transition: Transition, now: float) -> None:
        """Let *transition* wait; it replaces an earlier one of the same symbol for the same client."""
        queue = self._queue(transition)
        earlier = queue.get(transition.symbol)
        queue[transition.symbol] = _Waiting(transition, now if earlier is None else earlier.since)

    def take(self, now: float, begin: Callable[[Transition, float], bool]) -> Transition | None:
        """Take out what the broker is to be asked for now; None: nothing.

        *begin* says whether a transition is still to be made; one that is not takes no slot and no token.
        """
        while self._free and self and self.pause(now) == 0:
            transition, since = self._pop()
            if begin(transition, now):
                self._pass(now - since, now)
                return transition
        return None

    def done(self) -> None:
        """A transition that was taken out has ended, well or badly."""
        self._free += 1

    def pause(self, now: float) -> float:
        """Seconds until the pace allows one more."""
        return 0.0 if self._bucket is None else self._bucket.wait(now)

    def wait(self, now: float) -> float | None:
        """Seconds until `take` has something; None: only after `put` or `done`."""
        return self.pause(now) if self and self._free else None

    def __bool__(self) -> bool:
        return bool(self._missed or self._wanted or self._unwanted)

    def _pass(self, waited: float, now: float) -> None:
        self._free -= 1
        if self._bucket is not None:
            self._bucket.spend(now, 1)
        self.passage.made += 1
        self.passage.delayed += waited > 0
        self.passage.waited += waited

    def _queue(self, transition: Transition) -> _Queue:
        match transition:
            case Open(who=who) if who is not None:
                return self._wanted.setdefault(who, OrderedDict())
            case Close():
                return self._unwanted
            case _:
                return self._missed

    def _pop(self) -> _Waiting:
        if self._missed:
            return self._missed.popitem(last=False)[1]
        if not self._wanted:
            return self._unwanted.popitem(last=False)[1]
        who, queue = self._wanted.popitem(last=False)
        waiting = queue.popitem(last=False)[1]
        if queue:
            self._wanted[who] = queue
        return waiting
