"""What waits in an outbox as text payloads of the native wire.  Pure.

Ticks are never decoded: a `ticks` frame is a head, the ticks' own bytes with commas between, and a tail.  In a
message of the broker a newline is what parts them, and there is none inside a tick: replacing it makes a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import orjson

from gateway.frames import (
    Accepted,
    Authorized,
    Epoch,
    Error,
    Frame,
    Gap,
    Missing,
    Pong,
    Reconnect,
    Session,
    Snapshot,
    Status,
    Subscribed,
    Subscription,
    Subscriptions,
    Today,
    Unsubscribed,
)
from gateway.wires import framing
from services.market.symbol import Symbol
from services.market.wire import format_price

FRAME_BYTES: Final = 64 * 1024
"""Most bytes of one payload."""
PROTOCOL: Final = 1
"""The version that `welcome` names."""
HEARTBEAT_S: Final = 15
"""Seconds of silence after which a `heartbeat` is said."""

PING: Final = framing.PING
frame: Final = framing.text
"""A payload is one text frame."""

_TICKS_ROOM: Final = FRAME_BYTES - 64
"""Bytes left for ticks and commas: head and tail of a `ticks` frame take at most 50."""
_SNAPSHOT_ROOM: Final = FRAME_BYTES - 96
"""Bytes left for ticks and names: head, middle and tail of a `snapshot` frame take at most 70."""
_NAME_BYTES: Final = 40
"""Most bytes of one entry of `none`: a symbol of 16 characters, a reason, quotes, colon and comma."""
_DAYS: Final = 200
"""Symbols in one `day` frame: each takes at most 300 bytes."""
_LIST_NAMES: Final = 400
"""Subscriptions in one frame: each takes at most 150 bytes."""
_GONE_NAMES: Final = 3000
"""Names in one `unsubscribed`: each takes at most 19 bytes."""


def encode(entries: Sequence[bytes | Frame], sent_us: int) -> list[bytes]:
    """Return the payloads that say *entries* in order, each a JSON object of at most `FRAME_BYTES` bytes.

    *sent_us* (microseconds since 1970) becomes `sent` of the ticks and `server_time` of a pong.  Ticks in a row
    share a frame; so do snapshots in a row that are of one epoch.  Entries as in `gateway.outbox`.
    """
    try:
        # Nearly always there are ticks only.  join finds out faster than any look at the types.
        payload = ticks(cast("Sequence[bytes]", entries), sent_us)
    except TypeError:
        return list(_mixed(entries, sent_us))
    if len(payload) <= FRAME_BYTES:
        return [payload] if entries else []
    return list(_ticks(cast("Sequence[bytes]", entries), sent_us))


def ticks(entries: Sequence[bytes], sent_us: int) -> bytes:
    """Return one payload with all ticks of *entries*, however long it becomes."""
    return _ticks_frame(b",".join(entries).replace(b"\n", b","), sent_us)


def welcome(
    session: str, *, sent_us: int, live: bool, auth: str, limits: Mapping[str, object], heartbeat_s: float
) -> bytes:
    """Return the first payload of a connection."""
    return orjson.dumps(
        {
            "op": "welcome",
            "protocol": PROTOCOL,
            "session": session,
            "server_time": sent_us,
            "heartbeat": heartbeat_s,
            "limits": limits,
            "feed": _feed(live=live),
            "auth": auth,
        }
    )


def heartbeat(sent_us: int) -> bytes:
    """Return what is said after a silence."""
    return b'{"op":"heartbeat","sent":%d}' % sent_us


def _mixed(entries: Sequence[bytes | Frame], sent_us: int) -> Iterator[bytes]:
    start, end = 0, len(entries)
    while start < end:
        stop = start + 1
        match entries[start]:
            case bytes():
                while stop < end and isinstance(entries[stop], bytes):
                    stop += 1
                yield from _ticks(cast("Sequence[bytes]", entries[start:stop]), sent_us)
            case Snapshot() | Missing() | Today():
                while stop < end and isinstance(entries[stop], Snapshot | Missing | Today):
                    stop += 1
                yield from _beginnings(cast("Sequence[Snapshot | Missing | Today]", entries[start:stop]))
            case frame:
                yield from _frames(frame, sent_us)
        start = stop


def _ticks(entries: Sequence[bytes], sent_us: int) -> Iterator[bytes]:
    lines = b"\n".join(entries).split(b"\n")
    start = size = 0
    for index, line in enumerate(lines):
        size += len(line) + 1
        if size > _TICKS_ROOM and index > start:
            yield _ticks_frame(b",".join(lines[start:index]), sent_us)
            start, size = index, len(line) + 1
    yield _ticks_frame(b",".join(lines[start:]), sent_us)


def _ticks_frame(data: bytes, sent_us: int) -> bytes:
    return b'{"op":"ticks","sent":%d,"data":[%b]}' % (sent_us, data)


def _beginnings(entries: Sequence[Snapshot | Missing | Today]) -> Iterator[bytes]:
    """Say what belongs to newly followed symbols: first the snapshots, then the figures, which move no cursor."""
    snapshots = [entry for entry in entries if not isinstance(entry, Today)]
    if snapshots:
        yield from _snapshots(snapshots)
    days = [entry for entry in entries if isinstance(entry, Today)]
    for start in range(0, len(days), _DAYS):
        yield b'{"op":"day","data":{%b}}' % b",".join(map(_today, days[start : start + _DAYS]))


def _today(today: Today) -> bytes:
    instrument, day = today.instrument, today.day
    close = format_price(instrument.previous_close, instrument.decimals)
    if day is None:
        figures = '"epoch":null,"seq":null,"open":null,"high":null,"low":null,"volume":null'
    else:
        opened, high, low = (_price(price, day.decimals) for price in (day.open, day.high, day.low))
        figures = (
            f'"epoch":{day.at.epoch},"seq":{day.at.seq},"open":{opened},"high":{high},"low":{low},'
            f'"volume":{day.volume}'
        )
    return (
        f'"{instrument.symbol}":{{"session":"{instrument.session}","previous_close":{close},{figures}}}'.encode()
    )


def _price(price: int | None, decimals: int) -> str:
    return "null" if price is None else format_price(price, decimals)


def _snapshots(entries: Sequence[Snapshot | Missing]) -> Iterator[bytes]:
    epoch: int | None = None
    lines: list[bytes] = []
    none: dict[Symbol, str] = {}
    seen: set[Symbol] = set()
    size = 0
    for entry in entries:
        cost = len(entry.tick) + 1 if isinstance(entry, Snapshot) else _NAME_BYTES
        other_epoch = isinstance(entry, Snapshot) and epoch is not None and entry.epoch != epoch
        # A symbol twice in one frame would have no order: first "none", then its first tick.
        if seen and (other_epoch or entry.symbol in seen or size + cost > _SNAPSHOT_ROOM):
            yield _snapshot_frame(epoch, lines, none)
            epoch, lines, none, seen, size = None, [], {}, set(), 0
        if isinstance(entry, Snapshot):
            epoch = entry.epoch
            lines.append(entry.tick)
        else:
            none[entry.symbol] = entry.reason.value
        seen.add(entry.symbol)
        size += cost
    yield _snapshot_frame(epoch, lines, none)


def _snapshot_frame(epoch: int | None, lines: Iterable[bytes], none: Mapping[Symbol, str]) -> bytes:
    return b'{"op":"snapshot","epoch":%b,"data":[%b],"none":%b}' % (
        b"null" if epoch is None else b"%d" % epoch,
        b",".join(lines),
        orjson.dumps(none),
    )


def _frames(frame: Frame, sent_us: int) -> Iterator[bytes]:
    match frame:
        case Subscriptions(command_id, symbols):
            yield from _list(command_id, symbols)
        case Unsubscribed(command_id, names, reason):
            yield from _unsubscribed(command_id, names, reason)
        case _:
            yield orjson.dumps(_fields(frame, sent_us))


def _fields(frame: Frame, sent_us: int) -> dict[str, Any]:  # noqa: PLR0911 - one row per frame of the wire
    match frame:
        case Subscribed(command_id, symbols, rejected, pending):
            return {
                "op": "subscribed",
                "id": command_id,
                "symbols": {symbol: _accepted(accepted) for symbol, accepted in symbols.items()},
                "rejected": rejected,
                "pending": pending,
            }
        case Gap(symbol, epoch, first, last, reason):
            return {"op": "gap", "symbol": symbol, "epoch": epoch, "from": first, "to": last, "reason": reason}
        case Epoch(symbol, epoch):
            return {"op": "epoch", "symbol": symbol, "epoch": epoch}
        case Session(symbol, state, reason, since):
            return {"op": "session", "symbol": symbol, "state": state, "reason": reason, "since": since}
        case Status(live, since, shard):
            return {"op": "status", "feed": _feed(live=live), "since": since, "shard": shard}
        case Reconnect(in_ms, reason):
            return {"op": "reconnect", "in_ms": in_ms, "reason": reason}
        case Pong(command_id):
            return {"op": "pong", "id": command_id, "server_time": sent_us}
        case Authorized(command_id, expires, limits):
            return {"op": "authorized", "id": command_id, "expires": expires, "limits": limits}
        case Error(command_id, code, message):
            return {"op": "error", "id": command_id, "code": code, "message": message}
    raise TypeError(f"{type(frame).__name__} has no words of its own")


def _list(command_id: int, symbols: Mapping[Symbol, Subscription]) -> Iterator[bytes]:
    lines = [(symbol, _subscription(subscription)) for symbol, subscription in symbols.items()]
    for part, pending in _parts(lines, _LIST_NAMES):
        yield orjson.dumps(_told({"op": "subscriptions", "id": command_id, "symbols": dict(part)}, pending))


def _unsubscribed(command_id: int | None, names: Sequence[Symbol], reason: str | None) -> Iterator[bytes]:
    for part, pending in _parts(names, _GONE_NAMES):
        fields: dict[str, Any] = {"op": "unsubscribed", "id": command_id, "symbols": part, "reason": reason}
        yield orjson.dumps(_told(fields, pending))


def _parts(items: Sequence[Any], most: int) -> Iterator[tuple[Sequence[Any], int]]:
    for start in range(0, len(items) or 1, most):
        yield items[start : start + most], max(0, len(items) - start - most)


def _told(fields: dict[str, Any], pending: int) -> dict[str, Any]:
    """Return *fields* with the number of names in later parts of the answer, if there are any."""
    return {**fields, "pending": pending} if pending else fields


def _accepted(accepted: Accepted) -> dict[str, Any]:
    epoch, seq = accepted.position or (None, None)
    return {"epoch": epoch, "seq": seq, "max_rate": accepted.max_rate}


def _subscription(subscription: Subscription) -> dict[str, Any]:
    cursor = subscription.cursor
    return {
        "cursor": None if cursor is None else {"epoch": cursor.epoch, "seq": cursor.seq},
        "max_rate": subscription.max_rate,
        "state": subscription.state.value,
    }


def _feed(*, live: bool) -> str:
    return "live" if live else "stale"
