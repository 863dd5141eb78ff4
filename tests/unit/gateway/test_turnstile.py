"""The order and the pace of what the broker is asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.limits import TokenBucket
from gateway.intents import Close, Open, Rebind
from gateway.turnstile import Transition, Turnstile
from services.market.symbol import Symbol

NAMES = [Symbol(f"S{n}") for n in range(100)]
MANY = 1_000


def yes(_: Transition, __: float) -> bool:
    """Everything is still to be made."""
    return True


def taken(turnstile: Turnstile, now: float) -> list[Transition]:
    """All that may pass now."""
    passed = []
    while (transition := turnstile.take(now, yes)) is not None:
        passed.append(transition)
    return passed


def test_one_after_the_other_in_order() -> None:
    """One client's transitions pass in the order in which it asked."""
    turnstile = Turnstile(MANY, None)
    opens = [Open(symbol, 1, "client") for symbol in NAMES]
    for transition in opens:
        turnstile.put(transition, 0.0)

    assert len(turnstile) == 100
    assert taken(turnstile, 0.0) == opens
    assert not turnstile
    assert turnstile.wait(0.0) is None


def test_clients_take_turns() -> None:
    """Who asks for one symbol behind somebody's hundred waits for one of them."""
    turnstile = Turnstile(MANY, None)
    for symbol in NAMES[:99]:
        turnstile.put(Open(symbol, 1, "storm"), 0.0)
    turnstile.put(Open(NAMES[99], 1, "other"), 0.0)

    assert taken(turnstile, 0.0)[:3] == [Open(NAMES[0], 1), Open(NAMES[99], 1), Open(NAMES[1], 1)]


def test_classes() -> None:
    """Symbols with followers pass first, then those that are waited for, then those that nobody follows."""
    turnstile = Turnstile(MANY, None)
    closing, wanted, missed, mute = Close(NAMES[0], 1), Open(NAMES[1], 1, "c"), Open(NAMES[2], 1), Rebind(NAMES[3])
    for transition in (closing, wanted, missed, mute):
        turnstile.put(transition, 0.0)

    assert taken(turnstile, 0.0) == [missed, mute, wanted, closing]


def test_slots() -> None:
    """No more than so many are under way; the next one passes when one is done."""
    turnstile = Turnstile(2, None)
    for symbol in NAMES[:3]:
        turnstile.put(Open(symbol, 1), 0.0)

    assert taken(turnstile, 0.0) == [Open(NAMES[0], 1), Open(NAMES[1], 1)]
    assert turnstile.wait(0.0) is None
    turnstile.done()
    assert turnstile.wait(0.0) == 0.0
    assert taken(turnstile, 0.0) == [Open(NAMES[2], 1)]


def test_pace() -> None:
    """A burst passes at once, the rest at the rate; `wait` says when, and all is counted."""
    turnstile = Turnstile(MANY, TokenBucket(10, 3, 0.0))
    for symbol in NAMES[:5]:
        turnstile.put(Open(symbol, 1), 0.0)

    assert len(taken(turnstile, 0.0)) == 3
    assert turnstile.wait(0.0) == 0.1
    assert taken(turnstile, 0.05) == []
    assert taken(turnstile, 0.1) == [Open(NAMES[3], 1)]
    assert taken(turnstile, 0.25) == [Open(NAMES[4], 1)]
    assert (turnstile.passage.made, turnstile.passage.delayed, turnstile.passage.waited) == (5, 2, 0.35)


def test_what_is_called_off_costs_nothing() -> None:
    """A transition that is not to be made any more takes neither slot nor token."""
    turnstile = Turnstile(1, TokenBucket(10, 1, 0.0))
    for symbol in NAMES:
        turnstile.put(Open(symbol, 1, "client"), 0.0)

    assert turnstile.take(0.0, lambda transition, _: transition.symbol == NAMES[99]) == Open(NAMES[99], 1)
    assert not turnstile
    assert turnstile.passage.made == 1


def test_asking_again_takes_no_more_room() -> None:
    """The same client's next attempt at a symbol replaces the one that waits, and keeps its place."""
    turnstile = Turnstile(MANY, None)
    for attempt in range(100):
        for symbol in NAMES[:2]:
            turnstile.put(Open(symbol, attempt, "client"), float(attempt))

    assert len(turnstile) == 2
    assert taken(turnstile, 100.0) == [Open(NAMES[0], 99), Open(NAMES[1], 99)]
    assert turnstile.passage.waited == 200.0


_opens = st.builds(Open, st.sampled_from(NAMES[:9]), st.integers(1, 3), st.sampled_from("abc"))
_closes = st.builds(Close, st.sampled_from(NAMES[:9]), st.integers(1, 3))


@given(st.lists(st.one_of(_opens, _closes, st.floats(0, 1)), max_size=100), st.integers(1, 5))
def test_never_more_than_promised(steps: list[Open | Close | float], slots: int) -> None:
    """In any order of events at most burst + rate x time pass, at most *slots* at once, and in the end all."""
    turnstile, now, under_way = Turnstile(slots, TokenBucket(5, 3, 0.0)), 0.0, 0
    for step in steps:
        if isinstance(step, float):
            now += step
            for _ in range(under_way):
                turnstile.done()
            under_way = 0
        else:
            turnstile.put(step, now)
        under_way += len(taken(turnstile, now))
        assert under_way <= slots
        assert turnstile.passage.made <= 3 + 5 * now + 1e-6
    for _ in range(len(turnstile)):
        now += 1
        turnstile.done()
        assert taken(turnstile, now) or not turnstile
    assert not turnstile
