"""Waiting in tests: ask again until it is true, with a deadline; never a fixed pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(predicate: Callable[[], object], *, deadline: float = 5.0) -> None:
    """Return as soon as *predicate* is true; it is asked every 5 ms.

    Raises:
        AssertionError: still false after *deadline* seconds.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while not predicate():
        if loop.time() > end:
            raise AssertionError(f"not true within {deadline} s: {predicate}")
        await asyncio.sleep(0.005)


async def turns(count: int = 10) -> None:
    """Let the event loop go round *count* times, so that everything scheduled now has run."""
    for _ in range(count):
        await asyncio.sleep(0)
