"""Which event loops the gateway's unit tests run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run a module's tests on each loop of its `LOOPS`; on asyncio's own where it names none."""
    module = item.getparent(pytest.Module)
    loops: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None = getattr(
        module.obj if module else None, "LOOPS", None
    )
    return loops or {"asyncio": asyncio.new_event_loop}
