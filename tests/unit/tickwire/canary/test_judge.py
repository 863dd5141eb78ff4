"""The judge: each rule, and the verdicts of the tests' own checker as a second opinion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checker import Checker
from tests.verdicts import Rule as Verdict
from tickwire.canary.judge import EXCUSED, Judge
from tickwire.canary.stand import Follow
from tickwire.canary.verdict import GapReason, Position, Rule

WELCOME: Final = {"op": "welcome", "session": "x"}
A: Final = "AAPL"
Frame = dict[str, Any]


def subscribed(at: tuple[int, int] | None, identity: int = 1) -> Frame:
    """The answer to a subscribe command."""
    epoch, seq = at or (None, None)
    symbols = {A: {"epoch": epoch, "seq": seq, "max_rate": None}}
    return {"op": "subscribed", "id": identity, "symbols": symbols, "rejected": {}, "pending": 0}


def tick(seq: int, symbol: str = A, **more: int) -> Frame:
    """A tick as the gateway spells it."""
    return {
        "seq": seq, "ts": seq, "symbol": symbol, "price": 10.1, "size": 1, "bid": 10.0, "ask": 10.2,
        "bid_size": 1, "ask_size": 1, "volume": seq, **more,
    }  # fmt: skip


def ticks(*data: Frame) -> Frame:
    """A `ticks` frame."""
    return {"op": "ticks", "sent": 1, "data": list(data)}


def snapshot(epoch: int, seq: int) -> Frame:
    """A `snapshot` frame."""
    return {"op": "snapshot", "epoch": epoch, "data": [tick(seq)], "none": {}}


def gap(epoch: int, first: int, last: int | None, reason: str = "lost") -> Frame:
    """A `gap` frame."""
    return {"op": "gap", "symbol": A, "epoch": epoch, "from": first, "to": last, "reason": reason}


def epoch(number: int) -> Frame:
    """An `epoch` frame."""
    return {"op": "epoch", "symbol": A, "epoch": number}


LEFT: Final = {"op": "unsubscribed", "id": None, "symbols": [A], "reason": "delisted"}
BEGIN: Final = (WELCOME, subscribed(None), snapshot(7, 5))


def judged(*frames: object, judge: Judge | None = None) -> list[tuple[Rule, int]]:
    """Return the rules that *frames* of one connection break, each with the number of its frame."""
    judge = judge or Judge([A, "MSFT"])
    judge.opened()
    return [(found.rule, found.frame) for each in frames for found in judge.judge(each)]


def test_nothing_wrong() -> None:
    """Every legal frame of the table of cursors is legal, and each tick is accounted for."""
    judge = Judge([A])
    found = judged(
        *BEGIN,
        ticks(tick(6), tick(9, skipped=2)),
        gap(7, 10, 12),
        ticks(tick(13)),
        epoch(8),
        ticks(tick(1)),
        gap(8, 2, None, "forgotten"),
        snapshot(8, 9),
        subscribed((8, 9), 2),
        {"op": "status", "feed": "stale"},
        {"op": "of a later version"},
        judge=judge,
    )

    stand = judge.stands[A]
    assert found == []
    assert (stand.delivered, stand.conflated, stand.missing) == (6, 2, 3 + 7)
    assert stand.cursor == Position(8, 9)
    assert (stand.gaps[GapReason.LOST], stand.gaps[GapReason.FORGOTTEN]) == (1, 1)


@pytest.mark.parametrize(
    ("rule", "frames"),
    [
        (Rule.MALFORMED, [*BEGIN, None]),
        (Rule.MALFORMED, [*BEGIN, ["op"]]),
        (Rule.MALFORMED, [*BEGIN, {"data": []}]),
        (Rule.MALFORMED, [*BEGIN, {"op": "ticks", "sent": 1}]),
        (Rule.MALFORMED, [*BEGIN, {"op": "ticks", "sent": None, "data": []}]),
        (Rule.MALFORMED, [*BEGIN, ticks({"seq": "6", "ts": 1, "symbol": A})]),
        (Rule.MALFORMED, [*BEGIN, ticks({"seq": True, "ts": 1, "symbol": A})]),
        (Rule.MALFORMED, [*BEGIN, {"op": "pong", "id": 1}]),
        (Rule.WELCOME, [{"op": "heartbeat"}]),
        (Rule.WELCOME, [WELCOME, WELCOME]),
        (Rule.NOT_SUBSCRIBED, [WELCOME, ticks(tick(1))]),
        (Rule.NOT_SUBSCRIBED, [WELCOME, snapshot(7, 5)]),
        (Rule.NOT_SUBSCRIBED, [*BEGIN, ticks(tick(6, "IBM"))]),
        (Rule.NOT_SUBSCRIBED, [*BEGIN, LEFT, ticks(tick(6))]),
        (Rule.NOT_SUBSCRIBED, [*BEGIN, LEFT, LEFT]),
        (Rule.CHANGED, [*BEGIN, subscribed((7, 4))]),
        (Rule.CHANGED, [*BEGIN, subscribed(None)]),
        (Rule.WRONG_POSITION, [WELCOME, subscribed((7, 5))]),
        (Rule.WRONG_POSITION, [*BEGIN, LEFT, subscribed(None)]),
        (Rule.SNAPSHOT, [*BEGIN, snapshot(7, 6)]),
        (Rule.BACKWARDS, [*BEGIN, gap(7, 6, None), snapshot(7, 5)]),
        (Rule.NO_CURSOR, [WELCOME, subscribed(None), ticks(tick(1))]),
        (Rule.NO_CURSOR, [WELCOME, subscribed(None), gap(7, 1, 2)]),
        (Rule.NO_CURSOR, [WELCOME, subscribed(None), epoch(7)]),
        (Rule.HOLE, [*BEGIN, ticks(tick(7))]),
        (Rule.REPEATED, [*BEGIN, ticks(tick(5))]),
        (Rule.REPEATED, [*BEGIN, ticks(tick(6), tick(6))]),
        (Rule.SKIPPED, [*BEGIN, ticks(tick(9, skipped=2))]),
        (Rule.SKIPPED, [*BEGIN, ticks(tick(6, skipped=-1))]),
        (Rule.GAP, [*BEGIN, gap(7, 7, 8)]),
        (Rule.GAP, [*BEGIN, gap(6, 6, 8)]),
        (Rule.GAP, [*BEGIN, gap(7, 6, 5)]),
        (Rule.EPOCH, [*BEGIN, epoch(7)]),
        (Rule.REASON, [*BEGIN, gap(7, 6, 6, "tired")]),
    ],
)
def test_each_rule(rule: Rule, frames: list[object]) -> None:
    """Each rule is broken by such frames: once, and by the last of them."""
    judge = Judge([A])

    assert judged(*frames, judge=judge) == [(rule, len(frames))]
    assert {each: count for each, count in judge.found.items() if count} == {rule: 1}


def test_every_rule_has_a_case() -> None:
    """No rule is without a case above."""
    mark = next(mark for mark in test_each_rule.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]

    assert {rule for rule, _ in mark.args[1]} == set(Rule)


def test_one_fault_is_found_once() -> None:
    """After a hole, a repeated tick, or an illegal gap the next frames are judged from where that one led."""
    assert judged(*BEGIN, ticks(tick(9)), ticks(tick(10))) == [(Rule.HOLE, 4)]
    assert judged(*BEGIN, ticks(tick(3)), ticks(tick(6))) == [(Rule.REPEATED, 4)]
    assert judged(*BEGIN, gap(7, 8, 9), ticks(tick(10))) == [(Rule.GAP, 4)]
    assert judged(*BEGIN, epoch(3), ticks(tick(1))) == [(Rule.EPOCH, 4)]


def test_violation_says_where() -> None:
    """A violation names symbol, cursor, connection and frame, each as a field of a log line."""
    judge = Judge([A])
    judged(*BEGIN, judge=judge)
    judged(WELCOME, subscribed((7, 5)), judge=judge)

    [found] = judge.judge(ticks(tick(8)))

    assert found.fields() == {
        "rule": "hole",
        "symbol": A,
        "cursor": "7:5",
        "detail": "tick 8, not 6",
        "connection": 2,
        "frame": 3,
    }


def test_resume() -> None:
    """The next connection goes on where the last one stopped, unless it says that it cannot use the position."""
    refusal = {"op": "error", "id": 4, "code": "bad_resume", "message": "no"}
    for ending, rules in (
        ([subscribed((7, 5)), ticks(tick(6))], []),
        ([subscribed((7, 4)), ticks(tick(5))], [(Rule.WRONG_POSITION, 2)]),
        ([subscribed(None)], [(Rule.WRONG_POSITION, 2)]),
        ([refusal, subscribed(None, 4), snapshot(9, 1)], []),
        ([refusal, subscribed((7, 1), 4)], [(Rule.WRONG_POSITION, 3)]),
        ([{**refusal, "id": 5}, subscribed(None, 4)], [(Rule.WRONG_POSITION, 3)]),
    ):
        judge = Judge([A])
        judged(*BEGIN, judge=judge)
        judge.closed()
        assert judge.stands[A].state is Follow.PENDING

        assert judged(WELCOME, *ending, judge=judge) == rules


def test_excuses_are_bounded_and_end_with_the_connection() -> None:
    """Of the commands whose resume was refused the last 16 are remembered, of this connection only."""
    refusals = [{"op": "error", "id": number, "code": "bad_resume"} for number in range(1, EXCUSED + 2)]
    for identity, legal in ((1, False), (2, True), (EXCUSED + 1, True)):
        judge = Judge([A])
        judged(*BEGIN, judge=judge)
        assert (judged(WELCOME, *refusals, subscribed(None, identity), judge=judge) == []) is legal

    judge = Judge([A])
    judged(*BEGIN, refusals[0], judge=judge)
    assert judged(WELCOME, subscribed(None, 1), judge=judge) == [(Rule.WRONG_POSITION, 2)]


def test_rejected() -> None:
    """What the gateway rejects, or ends by its own will, is rejected until it is subscribed."""
    judge = Judge([A])

    def after(*frames: object) -> Follow:
        judged(WELCOME, *frames, judge=judge)
        return judge.stands[A].state

    rejection = {"op": "subscribed", "id": 1, "symbols": {}, "rejected": {A: "unknown_symbol", "B": "x"}}
    states = after(rejection), after(subscribed(None)), after(subscribed(None), LEFT), after()

    assert states == (Follow.REJECTED, Follow.FOLLOWED, Follow.REJECTED, Follow.PENDING)


# ------------------------------------------------------------------------------------------------- second opinion

_OPINIONS: Final = {
    Verdict.NOT_SUBSCRIBED: Rule.NOT_SUBSCRIBED,
    Verdict.CHANGED: Rule.CHANGED,
    Verdict.WRONG_POSITION: Rule.WRONG_POSITION,
    Verdict.SNAPSHOT: Rule.SNAPSHOT,
    Verdict.BACKWARDS: Rule.BACKWARDS,
    Verdict.NO_CURSOR: Rule.NO_CURSOR,
    Verdict.HOLE: Rule.HOLE,
    Verdict.DUPLICATE: Rule.REPEATED,
    Verdict.SKIPPED: Rule.SKIPPED,
    Verdict.GAP: Rule.GAP,
    Verdict.EPOCH: Rule.EPOCH,
    Verdict.REASON: Rule.REASON,
}
Story = Callable[[Position], tuple[str, Any]]
"""What the gateway says next, given a cursor: mostly what is legal there, for chance alone does not come far."""
_REASONS: Final = st.sampled_from(
    [*(reason.value for reason in GapReason if reason is not GapReason.OTHER), "odd"]
)
_NEAR: Final = st.sampled_from([0, 0, 0, 0, 0, -1, 1])
_SKIPS: Final = st.sampled_from(
    [(1, {}), (1, {}), (3, {"skipped": 2}), (2, {}), (0, {}), (0, {"skipped": -1}), (1, {"skipped": 1})]
)
_SAID: Final[st.SearchStrategy[Story]] = st.one_of(
    st.builds(lambda by: lambda at: ("frame", ticks(tick(max(1, at.seq + by[0]), **by[1]))), _SKIPS),
    st.builds(
        lambda run, seq, length, why: (
            lambda at: (
                "frame",
                gap(at.epoch + run, at.seq + 1 + seq, None if length is None else at.seq + seq + length, why),
            )
        ),
        _NEAR,
        _NEAR,
        st.sampled_from([None, None, 3, 1, 0]),
        _REASONS,
    ),
    st.builds(lambda run: lambda at: ("frame", epoch(at.epoch + 1 + run)), _NEAR),
    st.builds(
        lambda run, seq: lambda at: ("frame", snapshot(at.epoch + run, max(1, at.seq + 1 + seq))), _NEAR, _NEAR
    ),
    st.builds(lambda seq: lambda at: ("subscribed", (at.epoch, at.seq + seq)), _NEAR),
    st.just(lambda _: ("subscribed", None)),
    st.just(lambda _: ("frame", LEFT)),
    st.just(lambda _: ("again", None)),
)

_ANEW: Final = st.builds(
    lambda why, seq: [
        lambda at: ("frame", gap(at.epoch, at.seq + 1, None, why)),
        lambda at: ("frame", snapshot(at.epoch, at.seq + seq)),
    ],
    _REASONS,
    st.sampled_from([1, 5, 0]),
)
_STORIES: Final = st.lists(st.one_of(_SAID.map(lambda one: [one]), _ANEW), max_size=10)


def _first(checker: Checker, before: int) -> list[Rule]:
    new: Iterable[Any] = checker.violations[before:]
    return [_OPINIONS[found.rule] for found in new if found.rule in _OPINIONS]


@settings(max_examples=300)
@given(_STORIES)
def test_second_opinion(said: list[list[Story]]) -> None:
    """Up to the first violation of any story, judge and checker name the same rules and have the same cursor."""
    judge, checker, identity = Judge([A]), Checker(conflates=True), 0
    judge.opened()
    checker.opened()
    last = Position(7, 5)
    begin: list[Story] = [
        lambda _: ("frame", WELCOME),
        lambda _: ("subscribed", None),
        lambda _: ("frame", BEGIN[2]),
    ]
    for says in chain(begin, *said):
        last = judge.stands[A].cursor or last
        kind, what = says(last)
        if kind == "again":
            judge.opened()
            checker.opened()
            kind, what = "frame", WELCOME
        if kind == "subscribed":
            identity += 1
            checker.sent({"op": "subscribe", "id": identity, "symbols": [A], "resume": checker.resume([A])})
            what = subscribed(what, identity)
        before = len(checker.violations)
        checker.received(what)
        found = [violation.rule for violation in judge.judge(what)]
        assert found == _first(checker, before)
        if found:
            return
        assert (judge.stands[A].cursor or ()) == (checker.cursor(A) or ())


_ODD: Final = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 9), st.just(2**60), st.just(0.5), st.sampled_from([A, "", [], {}])
)
_FIELDS: Final = ("id", "symbols", "rejected", "data", "sent", "symbol", "epoch", "from", "to", "reason", "code")
_OPS: Final = ("subscribed", "unsubscribed", "ticks", "snapshot", "gap", "epoch", "error", "pong", "welcome")
_INNER: Final = st.dictionaries(st.sampled_from([A, "seq", "ts", "symbol", "epoch"]), _ODD, max_size=5)
_VALUES: Final = st.one_of(_ODD, _INNER, st.lists(st.one_of(_ODD, _INNER), max_size=2))
_FRAMES: Final = st.builds(
    lambda op, fields: {**fields, "op": op},
    st.sampled_from(_OPS),
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES),
)


@settings(max_examples=50)
@given(st.lists(st.one_of(_FRAMES, _VALUES), max_size=6))
def test_nothing_upsets_it(frames: list[Any]) -> None:
    """Whatever JSON a gateway says, the judge goes on, and the next connection's legal frames are legal."""
    judge = Judge([A])
    judge.opened()
    for frame in frames:
        judge.judge(frame)
    judge.opened()
    judge.judge(WELCOME)
    at = judge.stands[A].cursor
    judge.judge(subscribed(None if at is None else (at.epoch, at.seq)))
    assert judge.judge(snapshot(7, 5) if at is None else ticks(tick(at.seq + 1))) == []
