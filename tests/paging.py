"""The independent judge of `/v1/ticks`: do pages laid one after another leave a hole that nobody explains?

Written from `docs/http.md` alone, and imports nothing of Tickwire's.  One `Pages` is one client that goes on where
the page before ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

FINAL = frozenset({"lost", "forgotten"})
REASONS = FINAL | {"unknown_position"}


class Pages:
    """Takes page after page of one symbol; an `AssertionError` says what is wrong with one.

    *ticks* has each tick's fields by position, *gaps* each gap in order.
    """

    def __init__(self, symbol: str, after: str | None = None) -> None:
        self.symbol = symbol
        self.after = after
        self.ticks: dict[tuple[int, int], Mapping[str, Any]] = {}
        self.gaps: list[Mapping[str, Any]] = []
        self.more = True
        self._cursor = None if after is None else _position(after)
        self._closed = False

    def take(self, body: bytes) -> int:
        """Judge a page; return how many ticks it has."""
        page = orjson.loads(body)
        assert page.keys() == {"symbol", "epoch", "next", "more", "gaps", "ticks"}
        assert page["symbol"] == self.symbol
        gaps, ticks = page["gaps"], page["ticks"]
        rows = [((gap["epoch"], gap["from"]), gap) for gap in gaps]
        rows += [((tick["epoch"], tick["seq"]), tick) for tick in ticks]
        unknown = any(gap["reason"] == "unknown_position" for gap in gaps)
        for place, row in rows if unknown else sorted(rows, key=lambda each: each[0]):
            if "reason" in row:
                self._gap(place, row)
            else:
                self._tick(place, row)
        assert [(t["epoch"], t["seq"]) for t in ticks] == sorted((t["epoch"], t["seq"]) for t in ticks)
        cursor = self._cursor
        assert page["next"] == (None if cursor is None else f"{cursor[0]}-{cursor[1]}"), (page["next"], cursor)
        assert page["epoch"] == (None if cursor is None else cursor[0])
        self.after, self.more = page["next"], page["more"]
        return len(ticks)

    def _tick(self, place: tuple[int, int], tick: Mapping[str, Any]) -> None:
        assert tick["symbol"] == self.symbol
        assert place not in self.ticks, f"{place} a second time"
        self._goes_on(place)
        self.ticks[place] = tick
        self._cursor, self._closed = place, False

    def _gap(self, place: tuple[int, int], gap: Mapping[str, Any]) -> None:
        assert gap.keys() == {"epoch", "from", "to", "reason"}
        assert gap["reason"] in REASONS
        self._goes_on(place)
        self.gaps.append(gap)
        if gap["reason"] == "unknown_position":
            self._cursor = None
        elif gap["to"] is None:
            self._cursor, self._closed = place, True
        else:
            assert gap["to"] >= gap["from"]
            self._cursor, self._closed = (place[0], gap["to"]), False

    def _goes_on(self, place: tuple[int, int]) -> None:
        """What stands at *place* follows the cursor, or begins a later epoch."""
        if self._cursor is None:
            return
        epoch, seq = self._cursor
        if place[0] == epoch:
            assert not self._closed, f"{place} in an epoch that a gap has closed"
            assert place[1] == seq + 1, f"{place} does not follow {self._cursor}"
        else:
            assert place[0] > epoch, f"{place} goes back behind {self._cursor}"
            assert place[1] == 1, f"{place} leaves out the beginning of its epoch"


def _position(text: str) -> tuple[int, int]:
    epoch, _, seq = text.partition("-")
    return int(epoch), int(seq)
