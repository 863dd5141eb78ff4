"""The checker is proven before it may judge: each of its rules is broken once."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from tests.checker import Checker
from tests.cursors import Position
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
from tests.verdicts import Broken, Rule

START: list[Step] = [WELCOME, subscribe(1), subscribed(1, "AAPL")]
LIVE: list[Step] = [*START, snapshot(17, line(10))]
RATED: list[Step] = [WELCOME, subscribe(1, max_rate=5), subscribed(1, "AAPL", max_rate=5), snapshot(17, line(10))]
RESUMED = subscribe(1, resume={"AAPL": {"epoch": 17, "seq": 9}})
MANY = [f"S{n}" for n in range(201)]


def row(start_s: int, **changes: object) -> dict[str, object]:
    """Return a candle that begins at *start_s* seconds."""
    fields = {"start": start_s * 1_000_000, "epoch": 1, "open": 1, "high": 3, "low": 1, "close": 2}
    return {**fields, "volume": 9, "trades": 4, **changes}


def candles(*rows: dict[str, object], reset: bool = True) -> str:
    """Return a frame of candles of a minute."""
    more = {"reset": True} if reset else {}
    return says("candles", symbol="AAPL", interval="1m", **more, data=list(rows))


CANDLES: list[Step] = [
    WELCOME,
    {"op": "subscribe", "id": 1, "symbols": ["AAPL"], "candles": "1m"},
    says("subscribed", id=1, candles="1m", symbols={"AAPL": {}}, rejected={}, pending=0),
]
LEGAL: dict[str, list[Step]] = {
    "live": [*LIVE, run_of(11, 20), ticks(line(21))],
    "gap": [*LIVE, gap(17, 11, 15), ticks(line(16))],
    "gap to null": [*LIVE, gap(17, 11, None, "forgotten"), snapshot(17, line(40)), ticks(line(41))],
    "gap to null into a later epoch": [*LIVE, gap(17, 11, None, "unavailable"), snapshot(18, line(1))],
    "gap to null back": [*LIVE, gap(17, 11, None, "unknown_position"), snapshot(17, line(3)), ticks(line(4))],
    "epoch": [*LIVE, says("epoch", symbol="AAPL", epoch=18), run_of(1, 3)],
    "epoch, hole at its begin": [*LIVE, says("epoch", symbol="AAPL", epoch=18), gap(18, 1, 4), ticks(line(5))],
    "never traded": [
        *START,
        says("snapshot", epoch=None, data=[], none={"AAPL": "never_traded"}),
        snapshot(17, line(1)),
    ],
    "conflating": [*RATED, ticks(line(15, skipped=4)), ticks(line(16))],
    "no longer conflating": [*RATED, subscribe(2), subscribed(2, "AAPL", at={"AAPL": (17, 10)}), ticks(line(11))],
    "subscribed again": [*LIVE, subscribe(2), subscribed(2, "AAPL", at={"AAPL": (17, 10)}), ticks(line(11))],
    "resumed": [WELCOME, RESUMED, subscribed(1, "AAPL", at={"AAPL": (17, 9)}), run_of(10, 12)],
    "bad resume": [
        WELCOME,
        RESUMED,
        says("error", id=1, code="bad_resume", message="x"),
        subscribed(1, "AAPL"),
        snapshot(17, line(10)),
    ],
    "no snapshot": [
        WELCOME,
        subscribe(1, snapshot=False),
        subscribed(1, "AAPL", at={"AAPL": (17, 9)}),
        run_of(10, 11),
    ],
    "rejected": [WELCOME, subscribe(1, "AAPL", "ZZ"), subscribed(1, "AAPL", rejected={"ZZ": "unknown_symbol"})],
    "in parts": [WELCOME, subscribe(1, "A", "B"), subscribed(1, "B", pending=1), subscribed(1, "A")],
    "cancelled": [WELCOME, subscribe(1), unsubscribe(2), unsubscribed(2), subscribed(1)],
    "cancelled too late": [WELCOME, subscribe(1), unsubscribe(2), subscribed(1, "AAPL"), unsubscribed(2)],
    "again": [*LIVE, unsubscribe(2), unsubscribed(2), subscribe(3), subscribed(3, "AAPL"), snapshot(17, line(10))],
    "by itself": [*LIVE, unsubscribed(None, reason="delisted")],
    "everything": [
        WELCOME,
        subscribe(1, "*"),
        subscribed(1, "A", pending=1),
        subscribed(1, "B"),
        subscribed(1, "C"),
    ],
    "nothing of everything": [
        WELCOME,
        subscribe(1, "*"),
        subscribed(1, "A"),
        unsubscribe(2, "*"),
        unsubscribed(2, "*"),
    ],
    "listed": [
        *LIVE,
        {"op": "list", "id": 2},
        says("subscriptions", id=2, symbols={"AAPL": {"epoch": 17, "seq": 10, "state": "live"}}),
    ],
    "listed in parts": [
        *LIVE,
        {"op": "list", "id": 2},
        says("subscriptions", id=2, symbols={}, pending=1),
        says("subscriptions", id=2, symbols={"AAPL": {"cursor": {"epoch": 17, "seq": 10}}}),
    ],
    "unsubscribed in parts": [
        WELCOME,
        subscribe(1, "A", "B"),
        subscribed(1, "A", "B"),
        unsubscribe(2, "A", "B"),
        says("unsubscribed", id=2, symbols=["B"], pending=1),
        snapshot(17, line(1, "A")),
        unsubscribed(2, "A"),
    ],
    "talk": [
        *LIVE,
        says("heartbeat", sent=1),
        says("status", feed="stale"),
        says("session", symbol="AAPL", state="open"),
        {"op": "ping", "id": 9},
        says("pong", id=9),
        {"op": "auth", "id": 10, "token": "x"},
        says("authorized", id=10),
        says("authorized", expires=1),
        says("error", id=None, code="not_json"),
        says("reconnect", in_ms=0),
    ],
    "candles": [
        *CANDLES,
        candles(row(60), row(120)),
        candles(row(180), reset=False),
        candles(row(180), row(240), reset=False),
        candles(row(60)),
        {"op": "list", "id": 2},
        says("subscriptions", id=2, symbols={}, candles={"AAPL": ["1m"]}),
        {"op": "unsubscribe", "id": 3, "symbols": ["AAPL"], "candles": "1m"},
        says("unsubscribed", id=3, candles="1m", symbols=["AAPL"]),
    ],
    "candles beside ticks": [
        *LIVE,
        {"op": "subscribe", "id": 2, "symbols": ["AAPL"], "candles": "1m"},
        {"op": "unsubscribe", "id": 3, "symbols": ["AAPL"]},
        unsubscribed(3),
        says("subscribed", id=2, candles="1m", symbols={"AAPL": {}}, rejected={}, pending=0),
        candles(row(60)),
    ],
    "elsewhere": [
        *LIVE,
        "NEXT",
        WELCOME,
        subscribe(1, resume={"AAPL": {"epoch": 17, "seq": 10}}),
        subscribed(1, "AAPL", at={"AAPL": (17, 10)}),
        ticks(line(11)),
    ],
}

ILLEGAL: dict[str, tuple[Rule, list[Step]]] = {
    "candles before subscribed": (Rule.NOT_SUBSCRIBED, [*LIVE, candles(row(60))]),
    "candles without a reset": (Rule.CANDLES, [*CANDLES, candles(row(60), reset=False)]),
    "a finished candle changes": (
        Rule.CANDLES,
        [*CANDLES, candles(row(60), row(120)), candles(row(60), reset=False)],
    ),
    "a candle within its minute": (Rule.CANDLES, [*CANDLES, candles(row(61))]),
    "a candle whose low is above its open": (Rule.CANDLES, [*CANDLES, candles(row(60, low=2))]),
    "a candle without trades": (Rule.CANDLES, [*CANDLES, candles(row(60, trades=0))]),
    "a candle of other fields": (Rule.CANDLES, [*CANDLES, candles(row(60, day=1))]),
    "candles that are not listed": (
        Rule.CURSOR_LISTED,
        [*CANDLES, {"op": "list", "id": 2}, says("subscriptions", id=2, symbols={})],
    ),
    "an answer about ticks": (Rule.UNKNOWN_ID, [*CANDLES[:2], subscribed(1, "AAPL")]),
    "not JSON": (Rule.MALFORMED, [WELCOME, "{"]),
    "not an object": (Rule.MALFORMED, [WELCOME, "[]"]),
    "a field is missing": (Rule.MALFORMED, [*LIVE, says("gap", symbol="AAPL")]),
    "half a position": (
        Rule.MALFORMED,
        [WELCOME, subscribe(1), says("subscribed", id=1, symbols={"AAPL": {"epoch": 17}}, pending=0)],
    ),
    "unknown op": (Rule.UNKNOWN_OP, [WELCOME, says("hello")]),
    "above 64 KiB": (Rule.TOO_BIG, [*LIVE, run_of(11, 500)]),
    "above 64 KiB of UTF-8": (Rule.TOO_BIG, [WELCOME, says("reconnect", reason="é" * 40_000)]),
    "above 200 symbols": (Rule.TOO_BIG, [WELCOME, subscribe(1, *MANY), subscribed(1, *MANY)]),
    "no welcome": (Rule.WELCOME, [says("heartbeat", sent=1)]),
    "no welcome before ticks": (Rule.WELCOME, [WELCOME, "NEXT", ticks()]),
    "two welcomes": (Rule.WELCOME, [WELCOME, WELCOME]),
    "ticks before subscribed": (
        Rule.NOT_SUBSCRIBED,
        [WELCOME, subscribe(1), ticks(line(1)), subscribed(1, "AAPL")],
    ),
    "snapshot before subscribed": (Rule.NOT_SUBSCRIBED, [WELCOME, snapshot(17, line(1))]),
    "none before subscribed": (Rule.NOT_SUBSCRIBED, [WELCOME, says("snapshot", none={"AAPL": "never_traded"})]),
    "session before subscribed": (Rule.NOT_SUBSCRIBED, [WELCOME, says("session", symbol="AAPL")]),
    "gap before subscribed": (Rule.NOT_SUBSCRIBED, [WELCOME, gap(17, 1, 2)]),
    "ticks after unsubscribed": (Rule.NOT_SUBSCRIBED, [*LIVE, unsubscribe(2), unsubscribed(2), ticks(line(11))]),
    "epoch after unsubscribed": (
        Rule.NOT_SUBSCRIBED,
        [*LIVE, unsubscribe(2), unsubscribed(2), says("epoch", symbol="AAPL", epoch=18)],
    ),
    "ticks of a rejected symbol": (
        Rule.NOT_SUBSCRIBED,
        [WELCOME, subscribe(1), subscribed(1, rejected={"AAPL": "unknown_symbol"}), ticks(line(1))],
    ),
    "ticks on the next connection": (Rule.NOT_SUBSCRIBED, [*LIVE, "NEXT", WELCOME, ticks(line(11))]),
    "ticks after the gateway left": (Rule.NOT_SUBSCRIBED, [*LIVE, unsubscribed(None), ticks(line(11))]),
    "subscribed again at null": (Rule.CHANGED, [*LIVE, subscribe(2), subscribed(2, "AAPL")]),
    "subscribed again elsewhere": (
        Rule.CHANGED,
        [*LIVE, subscribe(2), subscribed(2, "AAPL", at={"AAPL": (17, 11)})],
    ),
    "another position than asked": (
        Rule.WRONG_POSITION,
        [WELCOME, RESUMED, subscribed(1, "AAPL", at={"AAPL": (17, 8)})],
    ),
    "no position though asked": (Rule.WRONG_POSITION, [WELCOME, RESUMED, subscribed(1, "AAPL")]),
    "a position not asked": (
        Rule.WRONG_POSITION,
        [WELCOME, subscribe(1), subscribed(1, "AAPL", at={"AAPL": (17, 8)})],
    ),
    "second snapshot": (Rule.SNAPSHOT, [*LIVE, snapshot(17, line(11))]),
    "none with a cursor": (Rule.SNAPSHOT, [*LIVE, says("snapshot", none={"AAPL": "unavailable"})]),
    "snapshot below the gap": (Rule.BACKWARDS, [*LIVE, gap(17, 11, None), snapshot(17, line(10))]),
    "ticks without cursor": (Rule.NO_CURSOR, [*START, ticks(line(1))]),
    "ticks after a gap to null": (Rule.NO_CURSOR, [*LIVE, gap(17, 11, None), ticks(line(11))]),
    "gap without cursor": (Rule.NO_CURSOR, [*START, gap(17, 1, 2)]),
    "epoch without cursor": (Rule.NO_CURSOR, [*START, says("epoch", symbol="AAPL", epoch=18)]),
    "hole": (Rule.HOLE, [*LIVE, ticks(line(12))]),
    "hole within a frame": (Rule.HOLE, [*LIVE, ticks(line(11), line(13))]),
    "hole though conflating": (Rule.HOLE, [*RATED, ticks(line(12))]),
    "duplicate": (Rule.DUPLICATE, [*LIVE, ticks(line(11)), ticks(line(11))]),
    "the snapshot again": (Rule.DUPLICATE, [*LIVE, ticks(line(10))]),
    "skipped, not conflating": (Rule.SKIPPED, [*LIVE, ticks(line(12, skipped=1))]),
    "skipped after max_rate ended": (
        Rule.SKIPPED,
        [*RATED, subscribe(2), subscribed(2, "AAPL", at={"AAPL": (17, 10)}), ticks(line(12, skipped=1))],
    ),
    "skipped too few": (Rule.SKIPPED, [*RATED, ticks(line(15, skipped=3))]),
    "gap of another epoch": (Rule.GAP, [*LIVE, gap(16, 11, 12)]),
    "gap too late": (Rule.GAP, [*LIVE, gap(17, 12, 13)]),
    "gap too early": (Rule.GAP, [*LIVE, gap(17, 10, 13)]),
    "gap that ends before it begins": (Rule.GAP, [*LIVE, gap(17, 11, 10)]),
    "gap without known reason": (Rule.REASON, [*LIVE, gap(17, 11, 12, "bored")]),
    "none without known reason": (Rule.REASON, [*START, says("snapshot", none={"AAPL": "bored"})]),
    "the same epoch": (Rule.EPOCH, [*LIVE, says("epoch", symbol="AAPL", epoch=17)]),
    "an earlier epoch": (Rule.EPOCH, [*LIVE, says("epoch", symbol="AAPL", epoch=16)]),
    "unknown id": (Rule.UNKNOWN_ID, [WELCOME, says("pong", id=4)]),
    "the wrong op": (Rule.UNKNOWN_ID, [WELCOME, {"op": "ping", "id": 4}, says("subscriptions", id=4, symbols={})]),
    "unsubscribed what was not asked": (
        Rule.UNKNOWN_ID,
        [*LIVE, unsubscribe(2), unsubscribed(2, "AAPL", "MSFT")],
    ),
    "answered twice": (Rule.ANSWERED_TWICE, [*LIVE, subscribed(1, "AAPL", at={"AAPL": (17, 10)})]),
    "error after the answer": (Rule.ANSWERED_TWICE, [*LIVE, says("error", id=1, code="busy")]),
    "a name answered twice": (
        Rule.ANSWERED_TWICE,
        [
            WELCOME,
            subscribe(1, "A", "B"),
            subscribed(1, "A", pending=1),
            subscribed(1, "A", pending=1),
            subscribed(1, "B"),
        ],
    ),
    "answered after it was cancelled": (
        Rule.ANSWERED_TWICE,
        [WELCOME, subscribe(1), unsubscribe(2), unsubscribed(2), subscribed(1, "AAPL")],
    ),
    "out of order": (
        Rule.OUT_OF_ORDER,
        [*LIVE, unsubscribe(2), subscribe(3), subscribed(3, "AAPL", at={"AAPL": (17, 10)}), unsubscribed(2)],
    ),
    "unsubscribes out of order": (
        Rule.OUT_OF_ORDER,
        [*LIVE, unsubscribe(2), unsubscribe(3), unsubscribed(3), unsubscribed(2)],
    ),
    "pending too many": (
        Rule.PENDING,
        [WELCOME, subscribe(1, "A", "B"), subscribed(1, "A", pending=2), subscribed(1, "B")],
    ),
    "pending too few": (Rule.PENDING, [WELCOME, subscribe(1, "A", "B"), subscribed(1, "A")]),
    "listed at another position": (
        Rule.CURSOR_LISTED,
        [*LIVE, {"op": "list", "id": 2}, says("subscriptions", id=2, symbols={"AAPL": {"epoch": 17, "seq": 9}})],
    ),
    "not listed": (Rule.CURSOR_LISTED, [*LIVE, {"op": "list", "id": 2}, says("subscriptions", id=2, symbols={})]),
    "a space": (Rule.FORMAT, [*LIVE, ticks(line(11).replace(",", ", "))]),
    "another order": (
        Rule.FORMAT,
        [*LIVE, ticks(line(11).replace('"size":100,"bid":230.09', '"bid":230.09,"size":100'))],
    ),
    "a decimal less": (Rule.FORMAT, [*LIVE, ticks(line(11, price="230.1"))]),
    "an exponent": (Rule.FORMAT, [*LIVE, ticks(line(11, price="2.3010e2"))]),
    "bid at ask": (Rule.CONTENT, [*LIVE, ticks(line(11, bid="230.11", price="230.11"))]),
    "price above ask": (Rule.CONTENT, [*LIVE, ticks(line(11, price="230.12"))]),
    "price below bid": (Rule.CONTENT, [*LIVE, ticks(line(11, price="230.08"))]),
    "time falls": (Rule.CONTENT, [*LIVE, ticks(line(11, ts=1))]),
    "volume falls": (Rule.CONTENT, [*LIVE, ticks(line(11, volume=1))]),
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal(name: str) -> None:
    """A legal connection breaks no rule and leaves nothing unanswered."""
    play(LEGAL[name]).finish()


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal(name: str) -> None:
    """A rule that is broken once is reported once, and nothing else is."""
    rule, steps = ILLEGAL[name]

    checker = play(steps)

    assert [rule] == [violation.rule for violation in checker.violations]
    assert checker.found == 1
    with pytest.raises(Broken):
        checker.check()


def test_every_rule_is_broken() -> None:
    """Every rule is broken in some test of this file."""
    at_the_end = {Rule.UNANSWERED, Rule.UNSETTLED, Rule.LEFT_EARLY}

    assert set(Rule) == {rule for rule, _ in ILLEGAL.values()} | at_the_end


def test_violation_names_where() -> None:
    """A violation names the rule, the symbol, the cursor before the frame, and the frame."""
    (violation,) = play([*LIVE, ticks(line(12))]).violations

    assert (Rule.HOLE, "AAPL", Position(17, 10)) == (violation.rule, violation.symbol, violation.cursor)
    assert violation.frame == ticks(line(12))


def test_parsed_frames() -> None:
    """Frames may come parsed: everything but their bytes is checked."""
    steps: list[Step] = [*LIVE, run_of(11, 20), ticks(line(22))]
    checker = Checker()
    checker.opened()
    for step in steps:
        if isinstance(step, dict):
            checker.sent(step)
        else:
            checker.received(orjson.loads(step))

    assert [violation.rule for violation in checker.violations] == [Rule.HOLE]


def test_unanswered() -> None:
    """A command without answer is reported at the end, also where only some of its names were answered."""
    half: list[Step] = [WELCOME, subscribe(1, "A", "B"), subscribed(1, "A", pending=1)]
    for steps in ([*LIVE, {"op": "ping", "id": 5}], half):
        with pytest.raises(Broken) as caught:
            play(steps).finish()
        assert [violation.rule for violation in caught.value.violations] == [Rule.UNANSWERED]


def test_unsettled() -> None:
    """A cursor that is not the producer's last position is reported at the end, connected or not."""
    ends: list[list[Step]] = [[], ["NEXT"]]
    for end in ends:
        checker = play([*LIVE, ticks(line(11)), *end])

        assert checker.settled({"AAPL": (17, 11), "MSFT": (17, 3)})
        assert not checker.settled({"AAPL": (17, 12)})
        with pytest.raises(Broken, match="unsettled"):
            checker.finish({"AAPL": (17, 12)})


def test_unsubscribed_need_not_settle() -> None:
    """A symbol that was unsubscribed owes nothing."""
    play([*LIVE, unsubscribe(2), unsubscribed(2)]).finish({"AAPL": (17, 12)})


def test_left_early() -> None:
    """An epoch that was left before its last tick is reported at the end."""
    checker = play([*LIVE, says("epoch", symbol="AAPL", epoch=18), ticks(line(1))])

    checker.finish({"AAPL": (18, 1)}, {"AAPL": {17: 10}})
    with pytest.raises(Broken, match="left_early"):
        checker.finish({"AAPL": (18, 1)}, {"AAPL": {17: 11}})


def test_account() -> None:
    """Every tick of a symbol is in its account: delivered, conflated, or missing for a reason."""
    checker = play(
        [
            *RATED,
            ticks(line(15, skipped=4)),
            gap(17, 16, 17),
            gap(17, 18, None, "forgotten"),
            snapshot(17, line(21)),
            gap(17, 22, None, "unavailable"),
            snapshot(18, line(3)),
        ]
    )

    account = checker.account("AAPL")

    assert (account.delivered, account.snapshots, account.conflated) == (1, 3, 4)
    assert account.missing == {"lost": 2, "forgotten": 3}
    assert account.open == {"unavailable": 1}


def test_slow_client_may_conflate() -> None:
    """A client that may become slow is told `skipped` without having asked for a rate."""
    play([*LIVE, ticks(line(15, skipped=4))], Checker(conflates=True)).finish()


def test_resume_field() -> None:
    """The resume of the next connection has the cursors that are not null."""
    checker = play(
        [WELCOME, subscribe(1, "AAPL", "MSFT"), subscribed(1, "AAPL", "MSFT"), snapshot(17, line(10)), "NEXT"]
    )

    assert checker.resume(["AAPL", "MSFT", "IBM"]) == {"AAPL": {"epoch": 17, "seq": 10}}


@pytest.mark.parametrize(
    ("expected", "rules"),
    [
        (line(11).encode(), []),
        (line(11, size=7).encode(), [Rule.CONTENT]),
        ({"size": 100, "price": 230.1}, []),
        ({"size": 7}, [Rule.CONTENT]),
        (None, []),
    ],
)
@pytest.mark.parametrize("skipped", [None, 0])
def test_expected_content(expected: bytes | dict[str, Any] | None, rules: list[Rule], skipped: int | None) -> None:
    """A tick is compared with what the test recomputed for its position, `skipped` aside."""
    asked: list[tuple[str, int, int]] = []

    def content(symbol: str, epoch: int, seq: int) -> bytes | dict[str, Any] | None:
        asked.append((symbol, epoch, seq))
        return expected if seq == 11 else None

    checker = play([*RATED, ticks(line(11, skipped=skipped))], Checker(content=content))

    assert rules == [violation.rule for violation in checker.violations]
    assert asked == [("AAPL", 17, 10), ("AAPL", 17, 11)]


def test_sample() -> None:
    """With a sample of k the content of every k-th tick is checked, and the order of all of them."""
    asked: list[int] = []
    checker = Checker(sample=10, content=lambda _s, _e, seq: asked.append(seq))

    play([*LIVE, *(ticks(line(seq)) for seq in range(11, 51)), ticks(line(52))], checker)

    assert 4 <= len(asked) <= 6
    assert [violation.rule for violation in checker.violations] == [Rule.HOLE]


def test_midnight() -> None:
    """The day's volume begins again at midnight UTC."""
    evening, morning = 86_400_000_000 * 20_000 - 1, 86_400_000_000 * 20_000
    play([*START, snapshot(17, line(10, ts=evening)), ticks(line(11, ts=morning, volume=1))]).finish()


def test_violations_are_bounded() -> None:
    """A stream that is wrong throughout is counted, and the first hundred violations are kept."""
    checker = play([*LIVE, *(ticks(line(seq)) for seq in range(12, 512, 2))])

    assert (checker.found, len(checker.violations)) == (250, 100)


def test_cost() -> None:
    """A tick costs at most 20 µs (about 2 on an idle machine), so one core can check 40,000 ticks/s."""
    checker = play(list(LIVE), Checker(sample=100))
    frames = [run_of(first, first + 3) for first in range(11, 20_011, 4)]
    began = time.process_time()
    for frame in frames:
        checker.received(frame)
    spent = time.process_time() - began

    checker.finish({"AAPL": (17, 20_010)})
    assert spent / 20_000 < 20e-6
