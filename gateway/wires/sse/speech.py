"""What waits in an outbox as the events of one stream, each with the place that it takes its client to.  Pure.

The data of `ticks` is an array of ticks, that of every other event the object of the native wire.  Where the
client stands is read from these very objects, as the client itself would do it: an id promises no more than was
said before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, cast

import orjson

from gateway.frames import Frame, Rejection
from gateway.wires.native import encode as native
from gateway.wires.sse.eventid import Positions
from gateway.wires.sse.places import Places
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import last_seqs

EVENT_BYTES: Final = 64 * 1024
"""Most bytes of one event's data."""
LEAST_RETRY_MS: Final = 250
"""Least milliseconds that a client is told to wait: it goes by them until it is told otherwise, and browsers obey
0, too, where nobody answers."""
END: Final = b"0\r\n\r\n"
"""The chunk of HTTP that says that nothing follows (RFC 9112 section 7.1)."""

_TICKS_ROOM: Final = EVENT_BYTES - 64
"""Bytes left for ticks and commas, so that the same ticks would fit into a frame of the native wire, too."""
_OP: Final = len(b'{"op":"')
_REJECTED: Final = {
    Rejection.UNKNOWN_SYMBOL: "is not in the directory",
    Rejection.NOT_ENTITLED: "is not among the symbols that the token names",
    Rejection.DELAYED_UNAVAILABLE: "would be delayed by this token, and there is no delayed data",
    Rejection.FEED_UNAVAILABLE: "cannot be had from the market feed yet; it is asked for again",
}


class Speech:
    """The words of one stream: a `gateway.session.Wire`.

    *symbols*: those of its request, sorted; *positions*: where its client wants to go on.  *chunked*: whether what
    is written is put into chunks of HTTP.
    """

    PING: Final = b""
    """A client of this wire has no way to answer."""

    def __init__(self, symbols: Sequence[Symbol], positions: Positions, *, chunked: bool = True) -> None:
        self.places = Places(symbols, positions)
        self.unavailable: list[Symbol] = []
        """Symbols that the feed did not give in time, until somebody asks for them again."""
        self.leaving = False
        """Whether the client was told to come back elsewhere."""
        self.resettled = False
        """Whether the set of symbols that are followed has changed; whoever looks at it sets it back."""
        self._chunked = chunked

    def encode(self, entries: Sequence[bytes | Frame], sent_us: int) -> list[bytes]:
        """Return the events that say *entries*, in order.  Ticks in a row share one."""
        events: list[bytes] = []
        for plain, run in groupby(entries, key=_is_ticks):
            if plain:
                events += self._ticks(b"\n".join(cast("Iterator[bytes]", run)))
            else:
                for payload in native.encode(list(run), sent_us):
                    events += self._said(payload)
        return events

    def frame(self, payload: bytes) -> bytes:
        """Return *payload* as it stands on the socket."""
        return b"%x\r\n%b\r\n" % (len(payload), payload) if self._chunked else payload

    def heartbeat(self, sent_us: int) -> bytes:
        """Return a comment, which no client shows to anybody."""
        del sent_us
        return b": keep-alive\n\n"

    @property
    def end(self) -> bytes:
        """What is written last."""
        return END if self._chunked else b""

    # ------------------------------------------------------------------------------------------------ events

    def _ticks(self, lines: bytes) -> Iterator[bytes]:
        if len(lines) <= _TICKS_ROOM:
            yield self._tick_event(lines)
            return
        ticks = lines.split(b"\n")
        start = size = 0
        for index, line in enumerate(ticks):
            size += len(line) + 1
            if size > _TICKS_ROOM and index > start:
                yield self._tick_event(b"\n".join(ticks[start:index]))
                start, size = index, len(line) + 1
        yield self._tick_event(b"\n".join(ticks[start:]))

    def _tick_event(self, lines: bytes) -> bytes:
        for symbol, seq in last_seqs(lines).items():
            self.places.advance(symbol, seq)
        return b"event: ticks\nid: %b\ndata: [%b]\n\n" % (self.places.word, lines.replace(b"\n", b","))

    def _said(self, payload: bytes) -> Iterator[bytes]:
        op = payload[_OP : payload.index(b'"', _OP)]
        note = _NOTES.get(op)
        if note is None:
            yield b"event: %b\ndata: %b\n\n" % (op, payload)
            return
        fields = orjson.loads(payload)
        note(self, fields)
        if op == b"reconnect":
            wait = max(fields["in_ms"], LEAST_RETRY_MS)
            yield b"retry: %d\nevent: reconnect\ndata: %b\n\n" % (wait, payload)
            return
        yield b"event: %b\nid: %b\ndata: %b\n\n" % (op, self.places.word, payload)
        if op == b"subscribed":
            yield from self._rejected(fields["rejected"])

    def _rejected(self, rejected: Mapping[str, str]) -> Iterator[bytes]:
        """Say of each name why nothing comes of it: `subscribed` alone is easily not listened to."""
        for name, reason in rejected.items():
            text = _REJECTED.get(Rejection(reason), reason)
            yield error(reason, f"{name} {text}", symbol=name)

    # ---------------------------------------------- what moves a client, by docs/protocol.md, or the stream's end

    def _subscribed(self, fields: Mapping[str, Any]) -> None:
        for name, accepted in fields["symbols"].items():
            self.places.move(Symbol(name), _position(accepted))
        unavailable = [Symbol(n) for n, why in fields["rejected"].items() if why == Rejection.FEED_UNAVAILABLE]
        self.unavailable += unavailable
        self.resettled = True

    def _unsubscribed(self, fields: Mapping[str, Any]) -> None:
        for name in fields["symbols"]:
            self.places.move(Symbol(name), None)
        self.resettled = True

    def _snapshot(self, fields: Mapping[str, Any]) -> None:
        for tick in fields["data"]:
            self.places.move(Symbol(tick["symbol"]), Position(fields["epoch"], tick["seq"]))

    def _gap(self, fields: Mapping[str, Any]) -> None:
        last = fields["to"]
        self.places.move(Symbol(fields["symbol"]), None if last is None else Position(fields["epoch"], last))

    def _epoch(self, fields: Mapping[str, Any]) -> None:
        self.places.move(Symbol(fields["symbol"]), Position(fields["epoch"], 0))

    def _reconnect(self, fields: Mapping[str, Any]) -> None:
        del fields
        self.leaving = True


def retry(milliseconds: int) -> bytes:
    """Return what tells a client how long to wait once the connection is gone."""
    return b"retry: %d\n\n" % milliseconds


def error(code: str, message: str, *, symbol: str | None = None) -> bytes:
    """Return an `error` event: the native object, and the symbol that it is about."""
    fields: dict[str, object] = {"op": "error", "id": None, "code": code, "message": message}
    if symbol is not None:
        fields["symbol"] = symbol
    return b"event: error\ndata: %b\n\n" % orjson.dumps(fields)


_NOTES: Final = {
    b"subscribed": Speech._subscribed,  # noqa: SLF001 - a table of this class's own
    b"unsubscribed": Speech._unsubscribed,  # noqa: SLF001
    b"snapshot": Speech._snapshot,  # noqa: SLF001
    b"gap": Speech._gap,  # noqa: SLF001
    b"epoch": Speech._epoch,  # noqa: SLF001
    b"reconnect": Speech._reconnect,  # noqa: SLF001
}


def _is_ticks(entry: bytes | Frame) -> bool:
    return isinstance(entry, bytes)


def _position(accepted: Mapping[str, Any]) -> Position | None:
    return None if accepted["epoch"] is None else Position(accepted["epoch"], accepted["seq"])
