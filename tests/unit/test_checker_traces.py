"""The checker accepts random legal traces, and none of them once one frame is damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spoken import (
    WELCOME,
    Step,
    gap,
    line,
    play,
    run_of,
    says,
    snapshot,
    subscribe,
    subscribed,
    ticks,
    unsubscribe,
    unsubscribed,
)
from tests.verdicts import Broken


@dataclass
class Gateway:
    """A small gateway that only ever says what the promise allows; each frame is of one symbol."""

    draw: Callable[[st.SearchStrategy[int]], int]
    steps: list[Step] = field(default_factory=lambda: [WELCOME])
    head: dict[str, tuple[int, int]] = field(default_factory=dict)
    cursors: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    rated: dict[str, bool] = field(default_factory=dict)
    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    ids: int = 0

    def act(self, symbol: str) -> None:
        """Do something legal with *symbol*."""
        if symbol not in self.cursors:
            self.subscribe(symbol)
            return
        cursor, head = self.cursors[symbol], self.head.setdefault(symbol, (17, 5))
        choice = self.draw(st.integers(0, 9))
        if choice == 0:
            self.unsubscribe(symbol)
        elif choice == 1 and cursor is not None:
            self.subscribe(symbol)
        elif cursor is None:
            self.snapshot(symbol, head)
        elif choice == 2:
            self.steps.append(gap(*cursor_gap(cursor), None, "forgotten", symbol))
            self.cursors[symbol] = None
            self.head[symbol] = (head[0], max(head[1], cursor[1]) + 2)
        elif choice == 3:
            last = cursor[1] + self.draw(st.integers(1, 4))
            self.steps.append(gap(*cursor_gap(cursor), last, "lost", symbol))
            self.put(symbol, (cursor[0], last))
        elif choice == 4 and not self.rated[symbol]:
            self.ends.setdefault(symbol, {})[cursor[0]] = cursor[1]
            self.steps.append(says("epoch", symbol=symbol, epoch=cursor[0] + 1))
            self.put(symbol, (cursor[0] + 1, 0))
        else:
            self.go_on(symbol, cursor)

    def go_on(self, symbol: str, cursor: tuple[int, int]) -> None:
        """Send the next ticks."""
        count = self.draw(st.integers(1, 3))
        if self.rated[symbol]:
            self.steps.append(ticks(line(cursor[1] + count, symbol, skipped=count - 1)))
        else:
            self.steps.append(run_of(cursor[1] + 1, cursor[1] + count, symbol))
        self.put(symbol, (cursor[0], cursor[1] + count))

    def snapshot(self, symbol: str, head: tuple[int, int]) -> None:
        """Send the newest tick."""
        head = (head[0], max(head[1], 1))
        self.steps.append(snapshot(head[0], line(head[1], symbol)))
        self.put(symbol, head)

    def subscribe(self, symbol: str) -> None:
        """Subscribe, again or for the first time, maybe with a rate."""
        self.ids += 1
        self.rated[symbol] = self.draw(st.integers(0, 3)) == 0
        cursor = self.cursors.setdefault(symbol, None)
        self.steps.append(subscribe(self.ids, symbol))
        at = {symbol: cursor} if cursor else None
        self.steps.append(subscribed(self.ids, symbol, at=at, max_rate=5 if self.rated[symbol] else None))

    def unsubscribe(self, symbol: str) -> None:
        """Unsubscribe, after `list`: without it nobody could tell what came before."""
        self.ids += 1
        self.steps += [{"op": "list", "id": self.ids}, says("subscriptions", id=self.ids, symbols=self.listed())]
        self.ids += 1
        del self.cursors[symbol]
        self.steps += [unsubscribe(self.ids, symbol), unsubscribed(self.ids, symbol)]

    def listed(self) -> dict[str, dict[str, int]]:
        """Return all subscriptions, as `list` has them."""
        return {
            symbol: {"epoch": cursor[0], "seq": cursor[1]} if cursor else {}
            for symbol, cursor in self.cursors.items()
        }

    def put(self, symbol: str, cursor: tuple[int, int]) -> None:
        """Move the cursor, and the newest position with it."""
        self.cursors[symbol] = self.head[symbol] = cursor

    def last(self) -> dict[str, tuple[int, int]]:
        """Send what is missing to those without cursor; return the last positions."""
        for symbol, cursor in list(self.cursors.items()):
            if cursor is None:
                self.snapshot(symbol, self.head.setdefault(symbol, (17, 5)))
        return {symbol: self.head[symbol] for symbol in self.cursors}


def cursor_gap(cursor: tuple[int, int]) -> tuple[int, int]:
    """Return epoch and first seq of a gap at *cursor*."""
    return cursor[0], cursor[1] + 1


Trace = tuple[list[Step], dict[str, tuple[int, int]], dict[str, dict[int, int]]]


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Legal traces, with the last positions and the ends of epochs."""
    gateway = Gateway(draw)
    for symbol in draw(st.lists(st.sampled_from(["AAPL", "MSFT", "BRK.B"]), min_size=1, max_size=30)):
        gateway.act(symbol)
    last = gateway.last()
    return gateway.steps, last, gateway.ends


@given(traces())
def test_legal_traces_pass(trace: Trace) -> None:
    """Whatever a correct gateway says breaks no rule and settles."""
    steps, last, ends = trace

    play(steps).finish(last, ends)


@given(traces(), st.data())
def test_damaged_traces_fail(trace: Trace, data: st.DataObject) -> None:
    """A trace with one frame dropped, doubled, or swapped with the next one of its symbol is never accepted."""
    steps, last, ends = trace
    frames = [n for n, step in enumerate(steps) if isinstance(step, str) and step != WELCOME]
    at = data.draw(st.sampled_from(frames))
    damage = data.draw(st.sampled_from(["drop", "double", "swap"]))
    after = next((n for n in frames if n > at and names(steps[n]) == names(steps[at])), None)
    damaged = list(steps)
    if damage == "double":
        damaged.insert(at, steps[at])
    elif damage == "drop" or after is None:
        del damaged[at]
    else:
        damaged[at], damaged[after] = steps[after], steps[at]

    with pytest.raises(Broken):
        play(damaged).finish(last, ends)


def names(step: Step) -> set[str]:
    """Return the symbols that a frame speaks of."""
    frame = orjson.loads(step) if isinstance(step, str) else step
    found = {frame.get("symbol"), *frame.get("symbols", ()), *(tick["symbol"] for tick in frame.get("data", ()))}
    return found - {None}
