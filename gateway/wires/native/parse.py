"""A text frame of the native wire as a command.  Pure.

Fields that no command has are ignored, so that a newer client may speak to an older gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from gateway.commands import (
    EVERYTHING,
    Auth,
    Command,
    List,
    Ping,
    Subscribe,
    SubscribeCandles,
    Unsubscribe,
    UnsubscribeCandles,
)
from gateway.wires.native.faults import CommandFault, ErrorCode
from services.errors import BadSymbol
from services.market.candle import INTERVALS
from services.market.position import Position
from services.market.symbol import Symbol, parse_symbol

LARGEST: Final = 2**53 - 1
"""The largest integer that JavaScript's numbers hold exactly."""
LEAST_RATE: Final = 0.1
MOST_RATE: Final = 100.0
"""Bounds of `max_rate`, ticks per second and symbol."""

MOST_HISTORY: Final = 500
"""Most candles to begin with: as many as history says in one answer."""
_DEFAULT_HISTORY: Final = 300

_NAMED: Final = 5
"""Most entries of `resume` that one fault names; there may be thousands in a frame."""
_QUOTED: Final = 40
"""Most characters of the client's own text that a fault repeats."""


class Parsed(NamedTuple):
    """A command to obey, and what was wrong with a part of it that does not stop it."""

    command: Command
    fault: CommandFault | None = None


def parse(frame: str | bytes, *, max_symbols: int) -> Parsed:
    """Return the command in *frame*, the payload of a text frame (str) or of a binary one (bytes).

    Raises:
        CommandFault: *frame* is no command; nothing of it is obeyed.
    """
    fields = _object(frame)
    command_id = _id(fields)
    op = _required(fields, "op", command_id)
    match op:
        case "subscribe":
            return _subscribe(fields, command_id, max_symbols)
        case "unsubscribe":
            return Parsed(_unsubscribe(fields, command_id, max_symbols))
        case "list":
            return Parsed(List(command_id))
        case "ping":
            return Parsed(Ping(command_id))
        case "auth":
            return Parsed(Auth(command_id, _token(fields, command_id)))
    raise CommandFault(
        ErrorCode.UNKNOWN_OP,
        command_id,
        f"op is {_quoted(op)}, but must be subscribe, unsubscribe, list, ping or auth",
    )


def _object(frame: str | bytes) -> dict[str, Any]:
    if not isinstance(frame, str):
        raise CommandFault(ErrorCode.BINARY_FRAME, None, "a command is a text frame, not a binary one")
    try:
        fields = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise CommandFault(ErrorCode.NOT_JSON, None, f"the frame is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise CommandFault(ErrorCode.NOT_AN_OBJECT, None, "the frame is not a JSON object")
    return fields


def _required(fields: Mapping[str, Any], name: str, command_id: int | None) -> Any:
    if name not in fields:
        raise CommandFault(ErrorCode.MISSING_FIELD, command_id, f"{name} is missing")
    return fields[name]


def _id(fields: Mapping[str, Any]) -> int:
    value = _required(fields, "id", None)
    # type(): True is an int, too
    if type(value) is not int or not 1 <= value <= LARGEST:
        raise CommandFault(
            ErrorCode.BAD_ID, None, f"id is {_quoted(value)}, but must be an integer from 1 to {LARGEST}"
        )
    return value


def _symbols(fields: Mapping[str, Any], command_id: int, max_symbols: int) -> tuple[Symbol, ...]:
    names = _required(fields, "symbols", command_id)
    if not isinstance(names, list) or not names:
        raise CommandFault(
            ErrorCode.BAD_SYMBOLS, command_id, f"symbols is {_quoted(names)}, but must be a list of names"
        )
    if names == [EVERYTHING]:
        return (EVERYTHING,)
    if EVERYTHING in names:
        raise CommandFault(ErrorCode.BAD_SYMBOL, command_id, 'symbols holds "*", which must stand alone')
    try:
        distinct = _distinct(names)
        # Counted before they are looked at: ten thousand names in one frame cost 3 ms otherwise.
        if len(distinct) > max_symbols:
            raise CommandFault(
                ErrorCode.TOO_MANY_SYMBOLS,
                command_id,
                f"symbols names {len(distinct)} symbols, but a client may follow {max_symbols}",
            )
        return tuple(map(parse_symbol, distinct))
    except BadSymbol as error:
        raise CommandFault(ErrorCode.BAD_SYMBOL, command_id, f"symbols: {error}") from None


def _distinct(names: list[Any]) -> list[Any]:
    """Return each of *names* once, in the order of first mention.

    Raises:
        BadSymbol: one is a list or an object.
    """
    try:
        return list(dict.fromkeys(names))
    except TypeError:
        return [parse_symbol(name) for name in names if isinstance(name, list | dict)]


def _unsubscribe(fields: Mapping[str, Any], command_id: int, max_symbols: int) -> Unsubscribe | UnsubscribeCandles:
    if "candles" not in fields:
        return Unsubscribe(command_id, _symbols(fields, command_id, max_symbols))
    step = _step(fields["candles"], command_id)
    return UnsubscribeCandles(command_id, _symbols(fields, command_id, max_symbols), step)


def _subscribe(fields: Mapping[str, Any], command_id: int, max_symbols: int) -> Parsed:
    if "candles" in fields:
        return Parsed(_subscribe_candles(fields, command_id, max_symbols))
    symbols = _symbols(fields, command_id, max_symbols)
    max_rate = _max_rate(fields.get("max_rate"), command_id)
    snapshot = fields.get("snapshot", True)
    if not isinstance(snapshot, bool):
        raise CommandFault(
            ErrorCode.BAD_SNAPSHOT, command_id, f"snapshot is {_quoted(snapshot)}, but must be true or false"
        )
    resume, fault = _resume(fields.get("resume", {}), symbols, command_id)
    return Parsed(Subscribe(command_id, symbols, max_rate, snapshot, resume), fault)


def _subscribe_candles(fields: Mapping[str, Any], command_id: int, max_symbols: int) -> SubscribeCandles:
    step = _step(fields["candles"], command_id)
    symbols = _symbols(fields, command_id, max_symbols)
    if symbols == (EVERYTHING,):
        # 1,000 symbols with 300 candles each are 42 MB for one client.
        raise CommandFault(
            ErrorCode.BAD_CANDLES, command_id, 'symbols is ["*"], but candles are followed by name only'
        )
    return SubscribeCandles(command_id, symbols, step, _history(fields.get("history"), command_id))


def _step(value: object, command_id: int) -> int:
    step = INTERVALS.get(value) if isinstance(value, str) else None
    if step is None:
        raise CommandFault(
            ErrorCode.BAD_CANDLES,
            command_id,
            f"candles is {_quoted(value)}, but must be {' or '.join(map(_quoted, INTERVALS))}",
        )
    return step


def _history(value: object, command_id: int) -> int:
    if value is None:
        return _DEFAULT_HISTORY
    if type(value) is not int or not 0 <= value <= MOST_HISTORY:
        raise CommandFault(
            ErrorCode.BAD_HISTORY,
            command_id,
            f"history is {_quoted(value)}, but must be an integer from 0 to {MOST_HISTORY}",
        )
    return value


def _max_rate(value: object, command_id: int) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_RATE <= value <= MOST_RATE:
        raise CommandFault(
            ErrorCode.BAD_MAX_RATE,
            command_id,
            f"max_rate is {_quoted(value)}, but must be a number from {LEAST_RATE:g} to {MOST_RATE:g}",
        )
    return float(value)


def _resume(
    value: object, symbols: tuple[Symbol, ...], command_id: int
) -> tuple[dict[Symbol, Position], CommandFault | None]:
    if not isinstance(value, dict):
        return {}, _bad_resume(command_id, f"resume is {_quoted(value)}, but must be an object of positions")
    wanted = None if symbols == (EVERYTHING,) else frozenset(symbols)
    positions: dict[Symbol, Position] = {}
    faults: list[str] = []
    for name, entry in value.items():
        problem = _resume_entry(name, entry, wanted, positions)
        if problem:
            faults.append(problem)
    if not faults:
        return positions, None
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return positions, _bad_resume(command_id, "; ".join(faults[:_NAMED]) + more)


def _resume_entry(
    name: str, entry: object, wanted: frozenset[Symbol] | None, positions: dict[Symbol, Position]
) -> str | None:
    """Add one entry to *positions*, or say what is wrong with it."""
    try:
        symbol = parse_symbol(name)
    except BadSymbol as error:
        return f"resume: {error}"
    if wanted is not None and symbol not in wanted:
        return f"resume names {symbol}, which is not in symbols"
    if not isinstance(entry, dict):
        return f'resume of {symbol} is {_quoted(entry)}, but must be {{"epoch": e, "seq": s}}'
    epoch, seq = entry.get("epoch"), entry.get("seq")
    if type(epoch) is not int or not 1 <= epoch <= LARGEST:
        return f"epoch of resume {symbol} is {_quoted(epoch)}, but must be an integer from 1 to {LARGEST}"
    if type(seq) is not int or not 0 <= seq <= LARGEST:
        return f"seq of resume {symbol} is {_quoted(seq)}, but must be an integer from 0 to {LARGEST}"
    positions[symbol] = Position(epoch, seq)
    return None


def _bad_resume(command_id: int, message: str) -> CommandFault:
    return CommandFault(ErrorCode.BAD_RESUME, command_id, message)


def _token(fields: Mapping[str, Any], command_id: int) -> str:
    token = _required(fields, "token", command_id)
    if not isinstance(token, str) or not token:
        # the value is not repeated: it may be a secret of the wrong shape
        raise CommandFault(ErrorCode.BAD_TOKEN, command_id, "token must be a string that is not empty")
    return token


def _quoted(value: object) -> str:
    if isinstance(value, list | dict):
        return "an empty list" if value == [] else "a list" if isinstance(value, list) else "an object"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _QUOTED else text[:_QUOTED] + "…"
