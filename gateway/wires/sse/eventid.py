"""The event id: where a client stands in all symbols of its stream, as one word that any gateway can read.  Pure.

    1 + base64url without padding of:
        CRC-32 (4 bytes, big endian) of the symbols of the request, sorted, joined by ","
        k, the number of epochs
        the k epochs, rising: the first one whole, the others as differences
        for each symbol, sorted: seq + 1, and behind it, if k > 1, the index of its epoch; or 0: no position

All numbers but the CRC are unsigned LEB128.  A client returns an id as it came and need not understand it.  One
that does not fit its request is as good as none: what a stranger made up must not become a position.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from services.market.position import Position
from services.market.symbol import Symbol

Positions = Mapping[Symbol, Position]

_VERSION: Final = b"1"
_LARGEST: Final = 2**53 - 1
"""The largest number of a position, as on the native wire: what JavaScript's numbers hold exactly."""
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_CRC: Final = 4
_MORE: Final = 0x80
"""The bit of a byte that says that the number goes on."""


def encode(symbols: Sequence[Symbol], positions: Positions) -> bytes:
    """Return the id of a client that stands at *positions*; *symbols* are those of its request, sorted."""
    epochs = sorted({position.epoch for position in positions.values()})
    return word(head(symbols, epochs), [number(positions.get(symbol), epochs) for symbol in symbols])


def word(beginning: bytes, numbers: Sequence[bytes]) -> bytes:
    """Return the id with *beginning*, from `head`, and what `number` says of each symbol."""
    return _VERSION + base64.urlsafe_b64encode(beginning + b"".join(numbers)).rstrip(b"=")


def head(symbols: Sequence[Symbol], epochs: Sequence[int]) -> bytes:
    """Return what stands before the symbols' numbers; *epochs* rise."""
    steps = [later - earlier for earlier, later in zip((0, *epochs), epochs, strict=False)]
    return _crc(symbols) + leb128(len(epochs)) + b"".join(map(leb128, steps))


def number(position: Position | None, epochs: Sequence[int]) -> bytes:
    """Return what the id says of one symbol."""
    if position is None:
        return b"\0"
    seq = leb128(position.seq + 1)
    return seq if len(epochs) == 1 else seq + leb128(epochs.index(position.epoch))


def decode(text: str, symbols: Sequence[Symbol]) -> dict[Symbol, Position] | None:
    """Return the positions that *text* states of *symbols*, sorted; None: it is no id of such a request."""
    data = _bytes(text)
    if data is None or data[:_CRC] != _crc(symbols):
        return None
    try:
        positions = _positions(_Reader(data[_CRC:]), symbols)
    except ValueError:
        return None
    # One word for one place: no number longer than it need be, no epoch of nobody's, no bits behind the last byte.
    return positions if encode(symbols, positions).decode() == text else None


def leb128(value: int) -> bytes:
    """Return *value*, not negative, 7 bits a byte, the lowest first."""
    if value < _MORE:
        return bytes((value,))
    groups = bytearray()
    while value >= _MORE:
        groups.append(value & 0x7F | _MORE)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _positions(reader: _Reader, symbols: Sequence[Symbol]) -> dict[Symbol, Position]:
    epochs = list(_epochs(reader, len(symbols)))
    positions: dict[Symbol, Position] = {}
    for symbol in symbols:
        seq = reader.number() - 1
        if seq < 0:
            continue
        index = reader.number() if len(epochs) > 1 else 0
        if index >= len(epochs) or not epochs[index] or seq > _LARGEST:
            raise ValueError
        positions[symbol] = Position(epochs[index], seq)
    if reader.left:
        raise ValueError
    return positions


def _epochs(reader: _Reader, most: int) -> Iterator[int]:
    epoch = 0
    count = reader.number()
    if count > most:
        raise ValueError
    for _ in range(count):
        step = reader.number()
        epoch += step
        if epoch > _LARGEST:
            raise ValueError
        yield epoch


def _bytes(text: str) -> bytes | None:
    if text[:1] != _VERSION.decode() or _WORD(text) is None:
        return None
    try:
        return base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
    except binascii.Error:
        return None


def _crc(symbols: Sequence[Symbol]) -> bytes:
    return binascii.crc32(",".join(symbols).encode()).to_bytes(_CRC, "big")


class _Reader:
    """Numbers in a row of bytes.  ValueError: the next one is cut off, or too large."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """Bytes that are not read."""
        return len(self._data) - self._at

    def number(self) -> int:
        """Take the next number, below 2^56."""
        value = shift = 0
        while True:
            if not self.left or shift > 7 * 7:
                raise ValueError
            group = self._data[self._at]
            self._at += 1
            value |= (group & 0x7F) << shift
            if group < _MORE:
                return value
            shift += 7
