"""The codec of candles in JSON: a row per candle, and the messages of the candle log (PURE)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from services.errors import BadSymbol, MalformedMessage
from services.market.candle import STEPS, Candle
from services.market.symbol import parse_symbol

MESSAGE_BYTES: Final = 64 * 1024
"""Most bytes of one message of the candle log, about 550 candles."""
_FIELDS: Final = len(Candle._fields)
_MOST_DECIMALS: Final = 9
"""As many as the tick codec writes."""


def encode_candles(candles: Iterable[Candle]) -> list[bytes]:
    """Return the bodies of messages that carry *candles* in their order."""
    return list(_bodies(orjson.dumps(list(candle)) for candle in candles))


def decode_candles(body: bytes) -> tuple[Candle, ...]:
    """Return the candles in *body*.

    Raises:
        MalformedMessage: not a JSON list of rows that `encode_candles` could have written.
    """
    try:
        return rows_of(orjson.loads(body))
    except (ValueError, TypeError, BadSymbol) as error:
        raise MalformedMessage(f"candles: {error} in {body[:80]!r}") from error


def rows_of(rows: object) -> tuple[Candle, ...]:
    """Return the candles whose fields stand in *rows*, in the order of `Candle`.

    Raises:
        TypeError, ValueError, BadSymbol: a row is no candle; the sentence says why.
    """
    if not isinstance(rows, list):
        raise TypeError(f"a list of candles was expected, not {type(rows).__name__}")
    return tuple(map(_candle, rows))


def whole(value: object) -> int:
    """Return *value*, a whole number from 0 on.

    Raises:
        TypeError: it is none.
    """
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _bodies(rows: Iterator[bytes]) -> Iterator[bytes]:
    held, size = list[bytes](), 2
    for row in rows:
        if held and size + len(row) + 1 > MESSAGE_BYTES:
            yield _joined(held)
            held, size = [], 2
        held.append(row)
        size += len(row) + 1
    if held:
        yield _joined(held)


def _joined(rows: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def _candle(row: Any) -> Candle:
    if not isinstance(row, list) or len(row) != _FIELDS:
        raise TypeError(f"a candle is a list of {_FIELDS} fields, not {str(row)[:40]}")
    candle = Candle(parse_symbol(row[0]), *map(whole, row[1:]))
    if candle.step not in STEPS:
        raise ValueError(f"a candle of {candle.step} s; known are {STEPS}")
    if candle.decimals > _MOST_DECIMALS:
        raise ValueError(f"decimals {candle.decimals} is above {_MOST_DECIMALS}")
    return candle
