"""`tickwire demo` as a process of its own, with any settings."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

START_S: Final = 30.0
"""Longest wait for a demo: 2 s was seen on two idle cores."""


class Demo(NamedTuple):
    """Where it answers."""

    page: str
    """Ends with a slash."""
    stream: str


@asynccontextmanager
async def running(**variables: str) -> AsyncIterator[Demo]:
    """Run a demo with these settings (`TICKWIRE_…`) in this context."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    local = {
        "TICKWIRE_LOG_STYLE": "json",
        "TICKWIRE_PORT": "0",
        "TICKWIRE_OPS_PORT": "0",
        "TICKWIRE_DRAIN_S": "0.1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickwire", "demo", env={**kept, **local, **variables}, stdout=PIPE
    )
    try:
        async with asyncio.timeout(START_S):
            demo = await _started(process)
        drain = asyncio.create_task(_drain(process))
        yield demo
        drain.cancel()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _started(process: asyncio.subprocess.Process) -> Demo:
    assert process.stdout is not None
    found: Demo | None = None
    async for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "demo.started":
            found = Demo(event["page"], event["stream"])
        elif event["event"] == "history.open" and found is not None:  # from now on history answers
            return found
    raise AssertionError(f"the demo ended with {await process.wait()}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read its log on, so that it never waits for a reader."""
    assert process.stdout is not None
    async for _ in process.stdout:
        pass
