"""Asking the stack again and again until it answers well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

SOON: Final = 30.0
"""Seconds: several scrapes, health checks and retries."""
_EVERY_S: Final = 0.5

T = TypeVar("T")


async def until(ask: Callable[[], T], good: Callable[[T], bool], *, what: str = "", patience: float = SOON) -> T:
    """Return the first good answer, asked for every 0.5 s in a thread; fail with the last one after *patience*."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while not good(answer := await asyncio.to_thread(ask)):
        assert loop.time() < end, f"{what}: still {answer}"
        await asyncio.sleep(_EVERY_S)
    return answer
