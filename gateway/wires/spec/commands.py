"""The commands of the native wire: what a client may say.  Pure."""

from __future__ import annotations

from typing import Final

from gateway.commands import EVERYTHING
from gateway.wires.native.parse import LARGEST, LEAST_RATE, MOST_RATE
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.message import Message, message
from gateway.wires.spec.samples import EPOCH
from gateway.wires.spec.vocabulary import (
    Schema,
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

_NAMES: Final = ["AAPL", "MSFT"]


def commands(bounds: Bounds) -> list[Message]:
    """Return every command, in the order of `docs/protocol.md`."""
    return [_subscribe(bounds), _unsubscribe(bounds), _list(), _ping(), _auth()]


def _id() -> Schema:
    return integer("The client's own number of this command; the answer repeats it.", least=1, most=LARGEST)


def symbols(bounds: Bounds) -> Schema:
    """Return the names of a command, or everything."""
    alone = listed(constant(EVERYTHING), "The whole directory and whatever joins it.", minItems=1, maxItems=1)
    names = listed(symbol(), "Names; each counts once.", minItems=1, maxItems=max(bounds.max_symbols, 1))
    return {"anyOf": [alone, names], "description": f'At most {bounds.max_symbols:,} names, or `["*"]` alone.'}


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
            {"op": "subscribe", "id": 3, "symbols": ["AAPL"], "resume": {"AAPL": {"epoch": EPOCH, "seq": 1041}}},
        ],
        optional=("max_rate", "snapshot", "resume"),
        answers=("subscribed", "error"),
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
