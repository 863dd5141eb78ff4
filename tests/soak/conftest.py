"""What the soak shares with the fault tests: real processes on a clean broker, and a table of figures."""

from __future__ import annotations

from tests.faults.conftest import (
    _figures,
    _stack,
    pytest_asyncio_loop_factories,
    pytest_configure,
    pytest_terminal_summary,
)

__all__ = [
    "_figures",
    "_stack",
    "pytest_asyncio_loop_factories",
    "pytest_configure",
    "pytest_terminal_summary",
]
