"""The broker that the contract suite runs against: each test runs once per adapter."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.market.symbol import Symbol
from tests.contract.controls import Controls, MemoryControls, RabbitControls

_NUMBERS = itertools.count(1)


@pytest.fixture
def symbol() -> Symbol:
    """A symbol that no other test uses: a real broker keeps its log from test to test."""
    return Symbol(f"T{next(_NUMBERS)}")


@pytest.fixture(params=["memory", "rabbitmq"])
def adapter(request: pytest.FixtureRequest) -> str:
    """The adapter under test, and with it the real broker where it needs one."""
    # A synchronous fixture: only such a one may ask for another by name before the loop runs.
    return str(request.getfixturevalue("vhost_url")) if request.param == "rabbitmq" else ""


@pytest.fixture
async def broker(adapter: str) -> AsyncIterator[Controls]:
    """A broker that runs, with an empty log."""
    if not adapter:
        yield MemoryControls()
        return
    async with AsyncExitStack() as proxies:
        yield RabbitControls(adapter, proxies)
