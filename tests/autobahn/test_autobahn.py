"""Autobahn's fuzzing client against the code path of `/v1/stream`.

The cases are those of `autobahntestsuite`, whose runner needs Python 2.7; `kosoku` runs the same files on this
one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from kosoku import run_fuzzingclient

from tests.stack import Stack, Tickwire

SECTIONS: Final = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1}
"""How many cases each has.  12 and 13 are about compression, which is never negotiated; 8 and 11 are empty."""
NOBODY: Final = "amqp://127.0.0.1:1"
"""No broker is needed, so that none is there."""
BOUNDS: Final = {"COMMAND_RATE": 10_000, "COMMAND_BURST": 100_000, "PING_RATE": 10_000, "PING_BURST": 100_000}
"""The suite sends as fast as it can; what becomes of that elsewhere is another test's business."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="echo")
async def _echo() -> AsyncIterator[Tickwire]:
    """A gateway that says every message back."""
    async with Stack(NOBODY) as stack:
        stack.through["gateway"] = ("-m", "tests.autobahn.echo")
        yield await stack.gateway(**BOUNDS)


@pytest.mark.parametrize("section", SECTIONS)
async def test_section(section: str, echo: Tickwire, verdicts: dict[str, Counter[str]]) -> None:
    """Every case of the section ran, and none was failed, closed uncleanly or with a wrong code."""
    results = await run_fuzzingclient(echo.stream, [f"{section}.*"])  # raises where a case fails
    assert all(case.passed for case in results)
    assert len({case.case_id for case in results}) == len(results) == SECTIONS[section]
    verdicts[section] = Counter(case.behavior.value for case in results)
