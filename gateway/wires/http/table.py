"""Tables for spreadsheets: CSV as RFC 4180 has it.  Pure.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a return is a formula to a spreadsheet.  The directory's names
come from whoever feeds us, so such a one gets an apostrophe in front; our own numbers are never below zero.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

SECONDS_KEPT: Final = 256
"""Seconds whose text is remembered: ticks of one answer share them."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SECOND_US: Final = 1_000_000


def rows(lines: Iterable[Sequence[object]]) -> bytes:
    """Return *lines* as CSV, None as an empty cell, each line ended by CR LF."""
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def harmless(text: str) -> str:
    """Return *text* so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def moment(us: int) -> str:
    """Return a time (microseconds since 1970) as spreadsheets read one: UTC, with milliseconds."""
    seconds, rest = divmod(us, _SECOND_US)
    return f"{_second(seconds)}.{rest // 1_000:03d}"


@lru_cache(maxsize=SECONDS_KEPT)
def _second(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(seconds)  # a feed whose clock is in a year that no calendar has
