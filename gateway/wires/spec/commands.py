"""The commands of the native wire: what a client may say.  Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from gateway.commands import EVERYTHING, SubscribeCandles
from gateway.wires.native.parse import LARGEST, LEAST_RATE, MOST_HISTORY, MOST_RATE
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.message import Message, message
from gateway.wires.spec.samples import MOMENT
from gateway.wires.spec.vocabulary import (
    Schema,
    choice,
    constant,
    integer,
    listed,
    mapped,
    nullable,
    number,
    ref,
    symbol,
    text,
    truth,
)
from services.market.candle import INTERVALS

_HISTORY: Final = next(field.default for field in fields(SubscribeCandles) if field.name == "history")
_NAMES: Final = ["AAPL", "MSFT"]


def commands(bounds: Bounds) -> list[Message]:
    """Return every command, in the order of `docs/protocol.md`."""
    return [
        _subscribe(bounds),
        _subscribe_candles(bounds),
        _unsubscribe(bounds),
        _unsubscribe_candles(bounds),
        _list(),
        _ping(),
        _auth(),
    ]


def _id() -> Schema:
    return integer("The client's own number of this command; the answer repeats it.", least=1, most=LARGEST)


def symbols(bounds: Bounds) -> Schema:
    """Return the names of a command, or everything."""
    alone = listed(constant(EVERYTHING), "The whole directory and whatever joins it.", minItems=1, maxItems=1)
    return {
        "anyOf": [alone, names(bounds)],
        "description": f'At most {bounds.max_symbols:,} names, or `["*"]` alone.',
    }


def names(bounds: Bounds) -> Schema:
    """Return the names of a command."""
    return listed(symbol(), "Names; each counts once.", minItems=1, maxItems=bounds.max_symbols)


def _candles() -> Schema:
    return choice(INTERVALS, "How long each candle is.")


def _subscribe(bounds: Bounds) -> Message:
    return message(
        "subscribe",
        "Follow the ticks of symbols.  One that is followed already keeps its cursor: only `max_rate` changes.",
        {
            "id": _id(),
            "symbols": symbols(bounds),
            "max_rate": nullable(
                number(
                    "At most so many ticks per second and symbol; left out or null: every tick.",
                    least=LEAST_RATE,
                    most=MOST_RATE,
                )
            ),
            "snapshot": truth("False: start after the newest tick instead of with it.", default=True),
            "resume": mapped(ref("Position"), "The position to go on after, of symbols in `symbols` only."),
        },
        [
            {"op": "subscribe", "id": 1, "symbols": _NAMES},
            {"op": "subscribe", "id": 2, "symbols": ["AAPL"], "max_rate": 2},
            {
                "op": "subscribe",
                "id": 3,
                "symbols": ["AAPL"],
                "resume": {"AAPL": {"epoch": MOMENT.epoch, "seq": 1041}},
            },
        ],
        optional=("max_rate", "snapshot", "resume"),
        answers=("subscribed", "error"),
    )


def _subscribe_candles(bounds: Bounds) -> Message:
    history = integer("How many candles to begin with.", most=MOST_HISTORY)
    return message(
        "subscribe",
        "Follow the candles of symbols, whether their ticks are followed or not.  "
        "Each such command brings `candles` with `reset`.",
        {
            "id": _id(),
            "symbols": names(bounds),
            "candles": _candles(),
            "history": history | {"default": _HISTORY},
        },
        [{"op": "subscribe", "id": 7, "symbols": ["AAPL"], "candles": "1m", "history": 3}],
        optional=("history",),
        answers=("subscribed_candles", "error"),
        name="subscribe_candles",
    )


def _unsubscribe_candles(bounds: Bounds) -> Message:
    return message(
        "unsubscribe",
        "Follow the candles of symbols no longer, of this interval and only these.",
        {"id": _id(), "symbols": symbols(bounds), "candles": _candles()},
        [{"op": "unsubscribe", "id": 8, "symbols": ["AAPL"], "candles": "1m"}],
        answers=("unsubscribed_candles", "error"),
        name="unsubscribe_candles",
    )


def _unsubscribe(bounds: Bounds) -> Message:
    return message(
        "unsubscribe",
        "Follow symbols no longer.  What is still pending is cancelled; nothing of them follows the answer.",
        {"id": _id(), "symbols": symbols(bounds)},
        [{"op": "unsubscribe", "id": 4, "symbols": ["MSFT"]}, {"op": "unsubscribe", "id": 5, "symbols": ["*"]}],
        answers=("unsubscribed", "error"),
    )


def _list() -> Message:
    example = {"op": "list", "id": 3}
    return message("list", "Name my subscriptions.", {"id": _id()}, [example], answers=("subscriptions", "error"))


def _ping() -> Message:
    example = {"op": "ping", "id": 5}
    return message("ping", "Answer at once.", {"id": _id()}, [example], answers=("pong", "error"))


def _auth() -> Message:
    return message(
        "auth",
        "Use this token from now on: the first one where `welcome` says `required`, or another one later.",
        {"id": _id(), "token": text("A token or an API key.", minLength=1)},
        [{"op": "auth", "id": 6, "token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"}],
        answers=("authorized", "error"),
    )
