"""What scrapes cost the clients: ten a second of gateway and producer, during load (F32)."""

from __future__ import annotations

import asyncio
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from tests.faults.figures import Figures
from tests.faults.honest import Honest
from tests.stack import Stack

EVERY_S: Final = 0.1
WINDOW_S: Final = 3.0
PAIRS: Final = 3
"""Windows without scrapes, each followed by one with them: what else the machine does meets both alike."""
RISE_MS: Final = 5.0
LEAST: Final = 0.75
"""Of ten scrapes a second and port that must have come, or it was another load."""
TRIES: Final = 3
"""Whatever else this machine does can make a rise of the p99, but hide none three times."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@asynccontextmanager
async def scraped(told: list[dict[str, Any]], *ports: int) -> AsyncIterator[None]:
    """Scrape *ports* ten times a second, within the context, and add to *told* what that took."""
    command = (sys.executable, "-m", "tests.faults.scraper", str(EVERY_S), *map(str, ports))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield
        out, _ = await process.communicate(b"")  # Python 3.11 would not close standard input for None
        assert process.returncode == 0
        told.append(orjson.loads(out))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def compared(honest: Honest, told: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the clients' p99 without and with scrapes, in ms: of several windows each, the median."""
    before, during = [], []
    for _ in range(PAIRS):
        before.append(await honest.p99_ms(WINDOW_S))
        async with scraped(told, honest.gateway.ops_port, honest.producer.ops_port):
            await honest.p99_ms(1.0)  # the scraper's own start
            during.append(await honest.p99_ms(WINDOW_S))
    return statistics.median(before), statistics.median(during)


async def test_scrapes_during_load(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Ten scrapes a second of gateway and producer make no tick of the clients' 5 ms later at the p99 (F32)."""
    fault, told = "F32 ten scrapes a second", list[dict[str, Any]]()
    async with Honest(stack, tmp_path) as honest:
        for _ in range(TRIES):
            before, during = await compared(honest, told)
            if during - before < RISE_MS:
                break
        scrapes = sum(each["scrapes"] for each in told)
        figures.told(fault, "scrapes", scrapes)
        assert scrapes >= LEAST * len(told) * 2 * (1.0 + WINDOW_S) / EVERY_S
        figures.told(fault, "a scrape, median", statistics.median(each["median_ms"] for each in told), "ms")
        figures.told(fault, "a scrape, slowest", max(each["most_ms"] for each in told), "ms")
        figures.told(fault, "the clients' p99 without", before, "ms")
        figures.told(fault, "the clients' p99 with them", during, "ms")
        figures.within(fault, "rise of the p99", during - before, RISE_MS, "ms")
        await honest.settle()
