"""The frames of the native wire: what the gateway says.  Pure."""

from __future__ import annotations

from typing import Final

from gateway.frames import Following, GapReason, NoSnapshot, Rejection
from gateway.wires.native.encode import HEARTBEAT_S, PROTOCOL
from gateway.wires.native.faults import ErrorCode
from gateway.wires.native.parse import LARGEST
from gateway.wires.spec import samples
from gateway.wires.spec.market import session_state
from gateway.wires.spec.message import Message, message
from gateway.wires.spec.vocabulary import (
    Schema,
    choice,
    epoch,
    fields,
    integer,
    listed,
    mapped,
    moment,
    nothing,
    nullable,
    number,
    ref,
    symbol,
    text,
    truth,
)
from services.market.candle import INTERVALS

GONE_REASONS: Final = ("delisted", Rejection.NOT_ENTITLED.value)
"""Why the gateway ends a subscription by itself."""
LEAVING_REASONS: Final = ("restart", "age")
"""Why the gateway sends a connection away."""


def frames() -> list[Message]:
    """Return every frame, in the order of `docs/protocol.md`."""
    return [*_connection(), *_answers(), *_market(), *_health(), _pong(), _error()]


def limits() -> Schema:
    """Return what a client may do."""
    return fields(
        {
            "symbols": integer("Symbols at once.", least=1),
            "message_bytes": integer("Most bytes of one message.", least=1),
            "commands_per_s": number("Commands per second in the long run."),
            "command_burst": integer("Commands at once.", least=1),
            "max_rate": listed(
                number("Ticks per second and symbol."), "Least and most of `max_rate`.", minItems=2, maxItems=2
            ),
        },
        "What this client may do; what goes beyond is refused, or ends the connection with 4429.",
    )


def accepted() -> Schema:
    """Return one symbol of `subscribed`."""
    return fields(
        {
            "epoch": nullable(epoch("With `seq`: where the cursor starts.")),
            "seq": nullable(integer("Null: the first tick comes as `snapshot`.")),
            "max_rate": nullable(number("In force; null: every tick.")),
        },
        "Where the cursor of a symbol starts.",
    )


def subscription() -> Schema:
    """Return one symbol of `subscriptions`."""
    return fields(
        {
            "cursor": nullable(ref("Position")),
            "max_rate": nullable(number("In force; null: every tick.")),
            "state": choice(Following, "`behind`: it waits for missing ticks, or for its first one."),
        },
        "How a subscription stands.",
    )


def _id() -> Schema:
    return integer("The command's.", least=1, most=LARGEST)


def _pending() -> Schema:
    return integer("Names of this answer that later frames will give; left out where there are none.", least=1)


def _interval() -> Schema:
    return choice(INTERVALS, "How long each candle is.")


def _gone_id() -> Schema:
    return nullable(integer("The command's; null: the gateway did it by itself.", least=1))


def _gone() -> Schema:
    return listed(symbol(), "What is followed no longer.")


def _why() -> Schema:
    return nullable(choice(GONE_REASONS, "Why the gateway did it by itself."))


def _connection() -> list[Message]:
    return [
        message(
            "welcome",
            "The first frame.",
            {
                "protocol": {"type": "integer", "const": PROTOCOL, "description": "The version of this wire."},
                "session": text("Name of this connection in the gateway's log."),
                "server_time": moment("When this was sent."),
                "heartbeat": number("Seconds of silence after which `heartbeat` comes."),
                "limits": ref("Limits"),
                "feed": choice(("live", "stale"), "`stale` too until the gateway has heard a producer."),
                "auth": choice(
                    ("none", "ok", "required"),
                    "`none`: no token is asked for; `ok`: the handshake's is in force; `required`: show one.",
                ),
            },
            samples.first_words(),
        ),
        message(
            "authorized",
            "A token is in force.  Without an `id` nobody asked: it expires within 60 s.",
            {
                "id": nullable(_id()),
                "expires": nullable(moment("Until when the token holds; null: for ever.")),
                "limits": ref("Limits"),
            },
            samples.frames("authorized"),
        ),
    ]


def _answers() -> list[Message]:
    return [
        message(
            "subscribed",
            "The answer to `subscribe`, in several frames where needed.  "
            "No frame of a symbol comes before its `subscribed`.",
            {
                "id": _id(),
                "symbols": mapped(ref("Accepted"), "What is followed: at most 200 in one frame."),
                "rejected": mapped(choice(Rejection, "Why."), "What is not followed."),
                "pending": integer("Names of this command that later frames will answer."),
            },
            samples.frames("subscribed"),
        ),
        message(
            "subscribed",
            "The answer to `subscribe` with `candles`, in several frames where needed.",
            {
                "id": _id(),
                "candles": _interval(),
                "symbols": mapped(fields({}, "Nothing."), "What is followed: at most 200 in one frame."),
                "rejected": mapped(choice(Rejection, "Why."), "What is not followed."),
                "pending": integer("Names of this command that later frames will answer."),
            },
            samples.frames("subscribed_candles"),
            name="subscribed_candles",
        ),
        message(
            "unsubscribed",
            "No candles of these symbols follow.",
            {
                "id": _gone_id(),
                "candles": _interval(),
                "symbols": _gone(),
                "reason": _why(),
                "pending": _pending(),
            },
            samples.frames("unsubscribed_candles"),
            optional=("pending",),
            name="unsubscribed_candles",
        ),
        message(
            "unsubscribed",
            "Nothing of these symbols follows.",
            {"id": _gone_id(), "symbols": _gone(), "reason": _why(), "pending": _pending()},
            samples.frames("unsubscribed"),
            optional=("pending",),
        ),
        message(
            "subscriptions",
            "The answer to `list`.",
            {
                "id": _id(),
                "symbols": mapped(ref("Subscription"), "Whose ticks are followed."),
                "candles": mapped(
                    listed(_interval(), "Each interval."), "Whose candles are followed, if any are."
                ),
                "pending": _pending(),
            },
            samples.frames("subscriptions"),
            optional=("candles", "pending"),
        ),
    ]


def _market() -> list[Message]:
    return [
        message(
            "snapshot",
            "The newest tick of each symbol: its cursor becomes that tick's position.",
            {
                "epoch": nullable(epoch("Of all ticks in `data`; null where there are none.")),
                "data": listed(ref("Tick"), "The newest tick of each symbol."),
                "none": mapped(choice(NoSnapshot, "Why."), "Symbols without a tick to show yet."),
            },
            samples.frames("snapshot"),
        ),
        message(
            "day",
            "The day's figures, within 5 s after each `snapshot`.  Moves no cursor.",
            {"data": mapped(ref("Day"), "At most 200 symbols.")},
            samples.frames("day"),
        ),
        message(
            "ticks",
            "Ticks of any of the symbols, each symbol's in order and of the epoch of its cursor.",
            {
                "sent": moment("When the gateway wrote it."),
                "data": listed(ref("Tick"), "Between symbols there is no order.", minItems=1),
            },
            samples.frames("ticks"),
        ),
        message(
            "gap",
            "The ticks `from` to `to` of `epoch` are not coming on this connection.",
            {
                "symbol": symbol(),
                "epoch": epoch("The cursor's."),
                "from": integer("The first one: the cursor's seq + 1.", least=1),
                "to": nullable(integer("The last one; null: the next tick comes as `snapshot`.", least=1)),
                "reason": choice(GapReason, "Why; only `lost` and `forgotten` are final."),
            },
            samples.frames("gap"),
        ),
        message(
            "epoch",
            "The ticks of the earlier epoch are complete; those of `epoch` follow from seq 1.",
            {"symbol": symbol(), "epoch": epoch("The later one.")},
            samples.frames("epoch"),
        ),
        message(
            "candles",
            "Candles that began or changed, oldest first; the last one may still grow.  Moves no cursor.",
            {
                "symbol": symbol(),
                "interval": _interval(),
                "reset": truth(
                    "True: they replace all that you have.  Left out: each replaces the one of its `start`."
                ),
                "data": listed(ref("Candle"), "At most 250 in one frame."),
            },
            samples.frames("candles"),
            optional=("reset",),
        ),
    ]


def _health() -> list[Message]:
    return [
        message(
            "session",
            "The symbol's trading session changed.  Moves no cursor.",
            {
                "symbol": symbol(),
                "state": session_state(),
                "reason": nothing("Null so far.") | {"type": ["string", "null"]},
                "since": moment("When it changed."),
            },
            samples.frames("session"),
        ),
        message(
            "status",
            "A producer is not heard any more, or again.  Prices shown while `stale` may be old.",
            {
                "feed": choice(("live", "stale"), "`stale`: no heartbeat for 3 s."),
                "since": moment("The last heartbeat; of `live`: the first one."),
                "shard": text("Which producer."),
            },
            samples.frames("status"),
        ),
        message(
            "heartbeat",
            f"Nothing else was sent for {HEARTBEAT_S} s.",
            {"sent": moment("When the gateway wrote it.")},
            samples.silence(),
        ),
        message(
            "reconnect",
            "This gateway closes the connection with 1012.  Connect again, with `resume`.",
            {
                "in_ms": integer("Milliseconds until then."),
                "reason": choice(LEAVING_REASONS, "`age`: the connection has had its time."),
            },
            samples.frames("reconnect"),
        ),
    ]


def _pong() -> Message:
    fields_ = {"id": _id(), "server_time": moment("When this was sent.")}
    return message("pong", "The answer to `ping`.", fields_, samples.frames("pong"))


def _error() -> Message:
    return message(
        "error",
        "A command was not obeyed, or (`bad_resume`) not in full.  The connection stays open.",
        {
            "id": nullable(integer("The command's; null where it had none that could be used.", least=1)),
            "code": choice(ErrorCode, "For programs: a closed list."),
            "message": text("For people; may change."),
        },
        samples.frames("error"),
    )
