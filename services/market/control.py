"""The control messages: a shard's heartbeat and its directory, and their only codec (JSON)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from services.errors import BadSymbol, MalformedMessage
from services.market.directory import DirectoryPart, Instrument, SessionState
from services.market.symbol import Symbol, parse_symbol


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent once a second by each shard's producer.

    *marks* are the last published sequences, in *epoch*, of every symbol that ticked in the last 3 s; of every
    symbol of the shard (0: none published yet) where *full* is true, which is every 10 s.  *time* is in
    microseconds since 1970.
    """

    shard: str
    epoch: int
    time: int
    directory_version: int
    marks: dict[Symbol, int]
    full: bool


Control = Heartbeat | DirectoryPart


def encode_control(message: Control) -> bytes:
    """Return the JSON body of *message*."""
    if isinstance(message, Heartbeat):
        body: dict[str, Any] = {
            "type": "heartbeat",
            "shard": message.shard,
            "epoch": message.epoch,
            "time": message.time,
            "directory": message.directory_version,
            "full": message.full,
            "marks": message.marks,
        }
    else:
        body = {
            "type": "directory",
            "shard": message.shard,
            "version": message.version,
            "part": message.part,
            "parts": message.parts,
            "instruments": [instrument_fields(i) for i in message.instruments],
        }
    return orjson.dumps(body)


def decode_control(body: bytes) -> Control:
    """Return the control message in *body*.

    Raises:
        MalformedMessage: not JSON, an unknown type, or a field that is missing or of a wrong type.
    """
    try:
        fields = orjson.loads(body)
        kind = fields["type"]
        if kind == "heartbeat":
            return _heartbeat(fields)
        if kind == "directory":
            return _part(fields)
    except (ValueError, KeyError, TypeError, AttributeError, BadSymbol) as error:
        raise MalformedMessage(f"control message: {error!r} in {body[:80]!r}") from error
    raise MalformedMessage(f"control message of unknown type {kind!r}; known are heartbeat and directory")


def instrument_fields(instrument: Instrument) -> dict[str, Any]:
    """Return *instrument* as JSON fields, prices as plain decimal numbers."""
    scale = 10**instrument.decimals
    return {
        "symbol": instrument.symbol,
        "name": instrument.name,
        "exchange": instrument.exchange,
        "currency": instrument.currency,
        "decimals": instrument.decimals,
        "tick_size": instrument.tick_size / scale,
        "previous_close": instrument.previous_close / scale,
        "session": instrument.session.value,
        "since": instrument.since,
    }


def _heartbeat(fields: dict[str, Any]) -> Heartbeat:
    return Heartbeat(
        shard=_text(fields["shard"]),
        epoch=_whole(fields["epoch"]),
        time=_whole(fields["time"]),
        directory_version=_whole(fields["directory"]),
        marks={parse_symbol(s): _whole(n) for s, n in fields["marks"].items()},
        full=fields["full"] is True,
    )


def _part(fields: dict[str, Any]) -> DirectoryPart:
    part, parts = _whole(fields["part"]), _whole(fields["parts"])
    if not part < parts:
        raise ValueError(f"part {part} of {parts}")
    instruments = tuple(_instrument(i) for i in fields["instruments"])
    return DirectoryPart(_text(fields["shard"]), _whole(fields["version"]), part, parts, instruments)


def _instrument(fields: dict[str, Any]) -> Instrument:
    decimals = _whole(fields["decimals"])
    if decimals > 9:  # noqa: PLR2004 - the tick codec writes at most nine
        raise ValueError(f"decimals {decimals} is above 9")
    scale = 10**decimals
    return Instrument(
        symbol=parse_symbol(fields["symbol"]),
        name=_text(fields["name"]),
        exchange=_text(fields["exchange"]),
        currency=_text(fields["currency"]),
        decimals=decimals,
        tick_size=round(float(fields["tick_size"]) * scale),
        previous_close=round(float(fields["previous_close"]) * scale),
        session=SessionState(fields["session"]),
        since=_whole(fields["since"]),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value
