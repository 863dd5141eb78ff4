"""What a canary makes of what the client tells it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from tickwire.canary.observer import SIGN_OF_LIFE_S, Observer, Outcome, State
from tickwire.canary.reason import Reason
from tickwire.canary.stand import Follow
from tickwire.canary.stopwatch import Stage
from tickwire.canary.verdict import GapReason, Position, Rule

TICK: Final = {"seq": 6, "ts": 1_000, "symbol": "AAPL"}


def _hear(observer: Observer, now: float, *frames: dict[str, Any], at_us: int = 0) -> list[Rule]:
    found = [violation for frame in frames for violation in observer.heard(json.dumps(frame), now, at_us)]
    return [violation.rule for violation in found]


def _following(*symbols: str) -> Observer:
    """An observer at 10 s whose connection took 0.5 s and follows *symbols*, without a tick."""
    observer = Observer(symbols, now=0.0)
    observer.attempting(9.5)
    observer.opened()
    begin = {symbol: {"epoch": None, "seq": None} for symbol in symbols}
    subscribed = {"op": "subscribed", "id": 1, "symbols": begin, "pending": 0}
    assert _hear(observer, 10.0, {"op": "welcome", "session": "abc"}, subscribed) == []
    return observer


def _snapshot(symbol: str = "AAPL") -> dict[str, Any]:
    return {"op": "snapshot", "epoch": 7, "data": [{"seq": 5, "ts": 1, "symbol": symbol}], "none": {}}


def test_connection() -> None:
    """From the attempt to welcome is a handshake; then the connection stands, under the gateway's name for it."""
    observer = Observer(["AAPL"], now=0.0)
    assert (observer.state, observer.readiness(0.0)) == (State.CONNECTING, (False, "connecting"))

    observer = _following("AAPL")

    assert (observer.connected, observer.state, observer.session) == (True, State.CONNECTED, "abc")
    assert (observer.handshakes.count, observer.handshakes.total) == (1, 0.5)


@pytest.mark.parametrize("reason", Reason)
def test_ended(reason: Reason) -> None:
    """An end is counted each time and news once; one that somebody has to do something about is a state."""
    observer = _following("AAPL")

    assert [observer.ended(reason), observer.ended(reason)] == [True, False]

    assert (observer.connected, observer.reconnects[reason]) == (False, 2)
    assert (observer.state is State.CONNECTING) is not reason.final
    assert observer.readiness(10.0) == (False, f"{observer.state.value}: {reason.value}")
    assert observer.ended(Reason.GONE if reason is not Reason.GONE else Reason.TLS)


def test_ended_again() -> None:
    """After a connection that stood the same end is news again."""
    observer = _following("AAPL")
    observer.ended(Reason.GONE)
    observer.opened()
    _hear(observer, 11.0, {"op": "welcome"})

    assert observer.ended(Reason.GONE)


def test_ready() -> None:
    """Ready is: connected, every symbol followed, and a tick, snapshot or heartbeat not older than 20 s."""
    observer = _following("AAPL", "MSFT")
    assert observer.readiness(10.0 + SIGN_OF_LIFE_S) == (False, "no tick, snapshot or heartbeat for 30 s")
    _hear(observer, 20.0, _snapshot())
    assert observer.readiness(20.0 + SIGN_OF_LIFE_S) == (True, "ready")
    assert not observer.readiness(20.1 + SIGN_OF_LIFE_S)[0]
    for sign in ({"op": "heartbeat", "sent": 1}, {"op": "ticks", "sent": 1, "data": [TICK]}):
        _hear(observer, 50.0, sign)
        assert observer.readiness(70.0) == (True, "ready")
    _hear(observer, 80.0, {"op": "status", "feed": "live"})
    assert not observer.readiness(80.0)[0]

    _hear(observer, 80.0, {"op": "unsubscribed", "id": None, "symbols": ["MSFT"]}, {"op": "heartbeat", "sent": 1})

    assert observer.readiness(80.0) == (False, "symbols rejected: 1")
    assert observer.symbols == {Follow.PENDING: 0, Follow.FOLLOWED: 1, Follow.REJECTED: 1}


def test_a_sign_that_is_malformed_is_none() -> None:
    """A frame that cannot be read is a violation and no sign of life."""
    observer = _following("AAPL")

    assert observer.heard("{", 50.0, 0)[0].rule is Rule.MALFORMED
    assert _hear(observer, 50.0, {"op": "ticks", "sent": 1, "data": [{"seq": 1}]}) == [Rule.MALFORMED]

    assert not observer.readiness(50.0)[0]
    assert observer.stopwatch.stages[Stage.FEED].count == 0


def test_ticks() -> None:
    """Ticks are measured with the clocks' offset, and accounted for over all symbols."""
    observer = _following("AAPL", "MSFT")
    observer.said('{"op":"ping","id":3}', at_us=100)
    _hear(observer, 10.0, {"op": "pong", "id": 3, "server_time": 5_000_150}, at_us=200)
    _hear(observer, 10.0, _snapshot(), _snapshot("MSFT"))

    _hear(observer, 12.0, {"op": "ticks", "sent": 5_000_500, "data": [{**TICK, "ts": 5_000_400}]}, at_us=700)
    gap = {"op": "gap", "symbol": "MSFT", "epoch": 7, "from": 6, "to": 8, "reason": "lost"}
    skipped = {"op": "ticks", "sent": 1, "data": [{"seq": 11, "ts": 1, "symbol": "MSFT", "skipped": 2}]}
    assert _hear(observer, 13.0, gap, skipped) == []

    assert observer.stopwatch.clock.offset_us == 5_000_000
    assert observer.stopwatch.stages[Stage.FEED].total == 0.0001
    assert observer.ticks == {Outcome.DELIVERED: 4, Outcome.CONFLATED: 2, Outcome.MISSING: 3}
    assert {reason: count for reason, count in observer.gaps.items() if count} == {GapReason.LOST: 1}
    assert observer.tick_age(15.0) == 2.0


def test_visits() -> None:
    """A visit is counted by how it ended, and news where the one before ended otherwise."""
    observer = Observer(["AAPL"], now=0.0)

    news = [observer.visited(reason) for reason in (None, Reason.TLS, Reason.TLS, Reason.GONE, None)]

    assert news == [False, True, False, True, True]
    assert {reason: count for reason, count in observer.visits.items() if count} == {
        None: 2,
        Reason.TLS: 2,
        Reason.GONE: 1,
    }


def test_rejected() -> None:
    """A symbol that the client gave up is news once, and again after it was served in between."""
    observer = _following("AAPL")
    assert [observer.rejected("AAPL"), observer.rejected("AAPL")] == [True, False]
    assert observer.symbols[Follow.REJECTED] == 1
    _hear(
        observer,
        11.0,
        {"op": "subscribed", "id": 2, "symbols": {"AAPL": {"epoch": None, "seq": None}}, "pending": 0},
        _snapshot(),
    )

    assert observer.rejected("AAPL")
    assert observer.cursor("AAPL") == Position(7, 5)
