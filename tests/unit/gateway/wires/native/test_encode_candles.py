"""Candles in the words of the native wire."""

from __future__ import annotations

import json
from typing import Any

from gateway.frames import (
    Accepted,
    Candles,
    Following,
    Frame,
    Rejection,
    Subscribed,
    Subscription,
    Subscriptions,
    Unsubscribed,
)
from gateway.wires.native.encode import FRAME_BYTES, encode
from services.market.candle import MINUTE, SECOND
from services.market.symbol import Symbol

A, B = Symbol("A"), Symbol("BRK.B")
ROW = b'{"start":60000000,"epoch":1,"open":1.00,"high":1.00,"low":1.00,"close":1.00,"volume":1,"trades":1}'


def said(frame: Frame) -> list[dict[str, Any]]:
    """Return what *frame* becomes."""
    return [json.loads(payload) for payload in encode([frame], 7)]


def test_answers_name_the_interval() -> None:
    """An answer about candles says so, and its symbols have no position."""
    accepted = {A: Accepted(None, None)}
    assert said(Subscribed(7, accepted, {B: Rejection.NOT_ENTITLED}, 2, MINUTE)) == [
        {
            "op": "subscribed",
            "id": 7,
            "candles": "1m",
            "symbols": {"A": {}},
            "rejected": {"BRK.B": "not_entitled"},
            "pending": 2,
        }
    ]
    assert said(Unsubscribed(8, (A,), None, SECOND)) == [
        {"op": "unsubscribed", "id": 8, "candles": "1s", "symbols": ["A"], "reason": None}
    ]


def test_a_list_names_candles_first() -> None:
    """The answer to `list` has the candles in a frame of their own, before the ticks."""
    ticks = {A: Subscription(None, None, Following.LIVE)}
    lines = {"A": {"cursor": None, "max_rate": None, "state": "live"}}
    candles = {"op": "subscriptions", "id": 3, "symbols": {}, "candles": {"A": ["1s", "1m"], "BRK.B": ["1m"]}}
    assert said(Subscriptions(3, ticks, {A: [SECOND, MINUTE], B: [MINUTE]})) == [
        {**candles, "pending": 1},
        {"op": "subscriptions", "id": 3, "symbols": lines},
    ]
    assert said(Subscriptions(3, {}, {A: [SECOND, MINUTE], B: [MINUTE]})) == [candles]


def test_candles_go_as_they_are() -> None:
    """A frame has the candles' own bytes, and `reset` only where it is one."""
    assert encode([Candles(A, MINUTE, True, (ROW, ROW))], 7) == [
        b'{"op":"candles","symbol":"A","interval":"1m","reset":true,"data":[%b,%b]}' % (ROW, ROW)
    ]
    assert encode([Candles(B, SECOND, False, (ROW,))], 7) == [
        b'{"op":"candles","symbol":"BRK.B","interval":"1s","data":[%b]}' % ROW
    ]


def test_nothing_is_a_reset_too() -> None:
    """A symbol without candles has an empty reset."""
    assert said(Candles(A, MINUTE, True, ())) == [
        {"op": "candles", "symbol": "A", "interval": "1m", "reset": True, "data": []}
    ]


def test_many_candles_are_split() -> None:
    """No frame is above its bound, however large the numbers are, and only the first one is a reset."""
    price = b"999999999999999.999999999"
    row = (
        b'{"start":%d,"epoch":%d,"open":%b,"high":%b,"low":%b,"close":%b,"volume":%d,"trades":%d,"partial":true}'
        % (*(10**16, 10**16, price, price, price, price, 10**16, 10**10),)
    )
    frames = encode([Candles(Symbol("X" * 16), MINUTE, True, (row,) * 501)], 7)
    assert all(len(frame) <= FRAME_BYTES for frame in frames)
    parts = [json.loads(frame) for frame in frames]
    assert [part.get("reset", False) for part in parts] == [True, False, False]
    assert sum(len(part["data"]) for part in parts) == 501
