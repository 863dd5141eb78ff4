"""A sheet of ticks as an answer, written piece by piece as it comes.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from gateway.frames import GapReason
from gateway.wires.http.answer import Content
from gateway.wires.http.query import Form, TicksQuery
from gateway.wires.http.sheet import Hole, Sheet, Stretch
from gateway.wires.http.table import moment
from services.market.position import Position
from services.market.wire import read_values, splice_epoch

FULL_S: Final = 600
"""Seconds that caches may answer with a full page that follows a position: it never changes."""

_HEAD: Final = b"epoch,seq,ts,time,symbol,price,size,bid,ask,bid_size,ask_size,volume,gap_to,gap_reason\r\n"
_NO_TICK: Final = b"," * 10
"""The empty cells of a hole, from `seq` to `gap_to`."""


class Writing:
    """Writes what a sheet has taken, so that no call has to write more than a page of history."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._pieces: list[bytes] = []
        self._holes: list[Hole] = []

    def add(self, stretch: Stretch) -> None:
        """Write *stretch*."""
        self._holes += [hole for _, hole in stretch.holes]
        piece = b"".join(_lines(stretch)) if self._form is Form.CSV else _objects(stretch)
        if piece:
            self._pieces.append(piece)

    def content(self, query: TicksQuery, sheet: Sheet, asked: Mapping[str, str]) -> Content:
        """Return the answer; *sheet* has nothing unwritten, *asked* are the parameters as they were given."""
        after = None if sheet.cursor is None else f"{sheet.cursor.epoch}-{sheet.cursor.seq}"
        link = None if after is None else urlencode({**asked, "after": after})
        body = self._body(query, sheet, after)
        return Content(body, self._form, f"ticks-{query.symbol}", self._keep(query, sheet), link)

    def _keep(self, query: TicksQuery, sheet: Sheet) -> int:
        known = all(hole.reason is not GapReason.UNKNOWN_POSITION for hole in self._holes)
        return FULL_S if query.after is not None and sheet.left == 0 and known else 0

    def _body(self, query: TicksQuery, sheet: Sheet, after: str | None) -> tuple[bytes, ...]:
        if self._form is Form.CSV:
            return (_HEAD, *self._pieces)
        head = orjson.dumps(
            {
                "symbol": query.symbol,
                "epoch": None if sheet.cursor is None else sheet.cursor.epoch,
                "next": after,
                "more": sheet.more,
                "gaps": list(map(_gap, self._holes)),
            }
        )
        return (head[:-1] + b',"ticks":[', *_joined(self._pieces), b"]}")


def _objects(stretch: Stretch) -> bytes:
    return b",".join([splice_epoch(line, epoch) for (epoch, _), line in stretch.ticks])


def _joined(pieces: Sequence[bytes]) -> Iterator[bytes]:
    for index, piece in enumerate(pieces):
        yield b"," + piece if index else piece


def _gap(hole: Hole) -> dict[str, Any]:
    return {"epoch": hole.epoch, "from": hole.first, "to": hole.last, "reason": hole.reason.value}


def _lines(stretch: Stretch) -> Iterator[bytes]:
    """Yield a line per tick, and before it one per hole: its first seq, empty cells, its last seq, its reason."""
    holes = list(stretch.holes)
    for index, (position, line) in enumerate(stretch.ticks):
        while holes and holes[0][0] == index:
            yield _hole(holes.pop(0)[1])
        yield _line(position, line)
    for _, hole in holes:
        yield _hole(hole)


def _line(position: Position, line: bytes) -> bytes:
    _, ts, *rest = read_values(line)
    return b"%d,%d,%b,%b,%b,,\r\n" % (*position, ts, moment(int(ts)).encode(), b",".join(rest))


def _hole(hole: Hole) -> bytes:
    last = b"" if hole.last is None else b"%d" % hole.last
    return b"%d,%d%b,%b,%b\r\n" % (hole.epoch, hole.first, _NO_TICK, last, hole.reason.value.encode())
