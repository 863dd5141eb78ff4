"""The stream of server-sent events: what differs from the native wire.  Pure.

Its events carry the frames of the native wire as they are, but `ticks`, which is the bare list, and `error`, which
may name the symbol that it is about.
"""

from __future__ import annotations

from typing import Final

import orjson

from gateway.frames import Rejection
from gateway.wires.problem import BUSY, CROWDED, TOKEN_EXPIRED, TOKEN_REFUSED, TOO_FAST
from gateway.wires.spec.message import Message
from gateway.wires.spec.samples import LINE
from gateway.wires.spec.vocabulary import choice, constant, fields, listed, nothing, ref, symbol, text

FRAMES: Final = ("subscribed", "snapshot", "day", "gap", "epoch", "session", "status", "unsubscribed", "reconnect")
"""Frames of the native wire that come as events of the same name."""
MOVING: Final = ("ticks", "subscribed", "snapshot", "gap", "epoch", "unsubscribed")
"""Events that carry an id, since they move a cursor."""
ENDS: Final = (TOKEN_EXPIRED.code, TOKEN_REFUSED.code, "internal")
"""Why the gateway ends a stream, where it does not say `reconnect`."""
LATER: Final = (BUSY.code, TOO_FAST.code, CROWDED.code)
"""Why there is no stream now; said as an event to `EventSource`, which gives up for good at any status but 200."""


def events() -> list[Message]:
    """Return the events that are none of the native wire's frames."""
    return [_ticks(), _error()]


def _ticks() -> Message:
    schema = listed(ref("Tick"), "Each symbol's in order and of the epoch of its cursor.", minItems=1)
    return Message("sse_ticks", "Ticks of any of the symbols.", schema, [[orjson.loads(LINE)]])


def _error() -> Message:
    codes = (*Rejection, *ENDS, *LATER)
    schema = fields(
        {
            "op": constant("error"),
            "id": nothing("No command was sent."),
            "code": choice(codes, "Why a symbol is not followed, or why the stream ends or does not begin."),
            "message": text("For people; may change."),
            "symbol": symbol("Which one it is about."),
        },
        optional=("symbol",),
    )
    example = {
        "op": "error",
        "id": None,
        "code": Rejection.UNKNOWN_SYMBOL.value,
        "message": "ZZZZ is not in the directory",
        "symbol": "ZZZZ",
    }
    return Message("sse_error", "A symbol is not followed, or the stream ends.", schema, [example])
