"""Which event loops an integration test runs on, and Tickwire as real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from tests.stack import Stack


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run a module's tests on each loop of its `LOOPS`; on asyncio's own where it names none."""
    module = item.getparent(pytest.Module)
    loops: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None = getattr(
        module.obj if module else None, "LOOPS", None
    )
    return loops or {"asyncio": asyncio.new_event_loop}


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of the load test."""
    config.addinivalue_line("markers", "load: takes a whole machine; TICKWIRE_LOAD_S makes it longer")


@pytest.fixture(name="stack")
async def _stack(vhost_url: str) -> AsyncIterator[Stack]:
    """Gateways and producers to start on a clean broker; what still runs is stopped, and must end well."""
    async with Stack(vhost_url) as stack:
        yield stack
