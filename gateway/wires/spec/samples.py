"""What a gateway says, said by the wire's own encoder: the examples of the documents.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from gateway.candles.growing import Growing
from gateway.frames import (
    Accepted,
    Authorized,
    Candles,
    Epoch,
    Error,
    Following,
    Frame,
    Gap,
    GapReason,
    Missing,
    NoSnapshot,
    Pong,
    Reconnect,
    Rejection,
    Session,
    Snapshot,
    Status,
    Subscribed,
    Subscription,
    Subscriptions,
    Today,
    Unsubscribed,
)
from gateway.wires.native.encode import HEARTBEAT_S, encode, heartbeat, welcome
from gateway.wires.native.faults import ErrorCode
from services.market.candle import MINUTE, Candle
from services.market.day import Day
from services.market.directory import Instrument, SessionState
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_tick, splice_skipped


class Moment(NamedTuple):
    """A time in microseconds since 1970, and the epoch of the producer that runs then."""

    us: int
    epoch: int


MOMENT: Final = Moment(1_795_391_720_393_596, 1_795_391_604_618)
"""When all examples are said."""
AAPL: Final = Symbol("AAPL")
MSFT: Final = Symbol("MSFT")
IBM: Final = Symbol("IBM")
LIMITS: Final = {
    "symbols": 1000,
    "message_bytes": 65536,
    "commands_per_s": 50.0,
    "command_burst": 100,
    "max_rate": [0.1, 100.0],
}
APPLE: Final = Instrument(
    AAPL, "Apple Inc.", "NASDAQ", "USD", 2, 1, 26850, SessionState.OPEN, MOMENT.us - 3_600_000_000
)
DAY: Final = Day(MOMENT.us - 3_600_000_000, 26850, 26851, 26847, 145571, 2, Position(MOMENT.epoch, 1607))
TRADE: Final = Tick(1607, MOMENT.us - 1_000, AAPL, 26847, 100, 26847, 26848, 10, 3, 145571, 2)
QUOTE: Final = Tick(1622, MOMENT.us + 500_000, AAPL, 26847, 0, 26846, 26848, 4, 3, 145571, 2)
LINE: Final = encode_tick(TRADE)
"""A tick as the producer writes it."""
GROWING: Final = Candle(
    AAPL,
    MINUTE,
    MOMENT.us // 60_000_000 * 60_000_000,
    DAY.began,
    MOMENT.epoch,
    26844,
    26849,
    26844,
    26847,
    5743,
    41,
    2,
)
SAID: Final[dict[str, Sequence[Frame | bytes]]] = {
    "authorized": (
        Authorized(6, MOMENT.us + 3_600_000_000, LIMITS),
        Authorized(None, MOMENT.us + 60_000_000, LIMITS),
    ),
    "subscribed_candles": (Subscribed(7, {AAPL: Accepted(None, None)}, {}, 0, MINUTE),),
    "unsubscribed_candles": (Unsubscribed(8, (AAPL,), None, MINUTE),),
    "candles": (
        Candles(AAPL, MINUTE, reset=True, rows=(Growing.of(GROWING, partial=True).text,)),
        Candles(AAPL, MINUTE, reset=False, rows=(Growing.of(GROWING, partial=False).text,)),
    ),
    "subscribed": (
        Subscribed(1, {AAPL: Accepted(None, None)}, {Symbol("ZZZZ"): Rejection.UNKNOWN_SYMBOL}, 0),
        Subscribed(2, {AAPL: Accepted(Position(MOMENT.epoch, 1041), 2.0)}, {}, 0),
    ),
    "unsubscribed": (Unsubscribed(4, (MSFT,), None), Unsubscribed(None, (MSFT,), "delisted")),
    "subscriptions": (
        Subscriptions(
            3,
            {
                AAPL: Subscription(Position(MOMENT.epoch, 1628), 2.0, Following.CONFLATING),
                MSFT: Subscription(None, None, Following.BEHIND),
            },
        ),
        Subscriptions(3, {}, {AAPL: (MINUTE,)}),
    ),
    "snapshot": (Snapshot(AAPL, MOMENT.epoch, LINE), Missing(IBM, NoSnapshot.NEVER_TRADED)),
    "day": (
        Today(APPLE, DAY),
        Today(APPLE, None),
    ),
    "ticks": (LINE, splice_skipped(encode_tick(QUOTE), 14)),
    "gap": (
        Gap(AAPL, MOMENT.epoch, 1042, 1050, GapReason.LOST),
        Gap(AAPL, MOMENT.epoch, 1_000_000_000, None, GapReason.UNKNOWN_POSITION),
    ),
    "epoch": (Epoch(AAPL, MOMENT.epoch + 86_400_000),),
    "session": (Session(AAPL, SessionState.HALTED, None, MOMENT.us),),
    "status": (
        Status(live=False, since=MOMENT.us, shard="main"),
        Status(live=True, since=MOMENT.us, shard="main"),
    ),
    "reconnect": (Reconnect(0, "restart"), Reconnect(0, "age")),
    "pong": (Pong(5),),
    "error": (
        Error(7, ErrorCode.UNKNOWN_OP, 'op is "fly", but must be subscribe, unsubscribe, list, ping or auth'),
        Error(None, ErrorCode.NOT_AN_OBJECT, "the frame is not a JSON object"),
    ),
}
"""Every frame by its name in the documents, `welcome` and `heartbeat` aside."""


def said(frame: Frame | bytes) -> Any:
    """Return *frame* (or a tick's bytes) as the native wire says it."""
    (payload,) = encode([frame], MOMENT.us)
    return orjson.loads(payload)


def first_words() -> list[Any]:
    """Return a `welcome`."""
    payload = welcome(
        "3fd1b00f0cb49c1c", sent_us=MOMENT.us, live=True, auth="none", limits=LIMITS, heartbeat_s=HEARTBEAT_S
    )
    return [orjson.loads(payload)]


def silence() -> list[Any]:
    """Return a `heartbeat`."""
    return [orjson.loads(heartbeat(MOMENT.us))]


def frames(kind: str) -> list[Any]:
    """Return examples of the frame that the documents call *kind*."""
    return [said(frame) for frame in SAID[kind]]
