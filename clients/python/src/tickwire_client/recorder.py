"""Keeps what a feed brings, for so long or so many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickwire_client.errors import BadRequest
from tickwire_client.recording import ROWS, Recording

if TYPE_CHECKING:
    from tickwire_client.feed import Feed

_log = logging.getLogger("tickwire_client")


@dataclass(frozen=True)
class Bounds:
    """When a recording ends: after so many seconds, or ticks, whichever is first.

    Raises:
        BadRequest: it would never end, or never begin.
    """

    seconds: float | None
    ticks: int | None

    def __post_init__(self) -> None:
        if self.seconds is None and self.ticks is None:
            raise BadRequest("a recording needs an end: seconds=, ticks=, or both")
        if self.seconds is not None and not self.seconds > 0:
            raise BadRequest(f"seconds is {self.seconds}, but must be above 0")
        if self.ticks is not None and self.ticks < 1:
            raise BadRequest(f"ticks is {self.ticks}, but must be 1 or more")


async def record(
    feed: Feed, symbols: Sequence[str], bounds: Bounds, *, max_rate: float | None, snapshot: bool
) -> Recording:
    """Return what comes of *symbols* within *bounds*; see `Feed.record`."""
    most = ROWS if bounds.ticks is None else bounds.ticks
    recording = Recording()
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(bounds.seconds),
            feed.subscribe(*symbols, max_rate=max_rate, snapshot=snapshot, on_gap=recording.missed) as coming,
        ):
            async for tick in coming:
                recording.add(tick)
                if len(recording) >= most:
                    break
    if bounds.ticks is None and len(recording) >= most:
        recording.full = True
        _log.warning("the recording of %s ended early: it holds %d ticks", ", ".join(symbols), most)
    return recording
