"""The broker that the contract suite runs against: each test runs once per adapter."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest

from services.broker.queues import PER_SYMBOL, Queues
from services.market.symbol import Symbol
from tests.contract.controls import Controls, MemoryControls, RabbitControls

_NUMBERS = itertools.count(1)


@pytest.fixture
def symbol() -> Symbol:
    """A symbol that no other test uses: a real broker keeps its log from test to test."""
    return Symbol(f"T{next(_NUMBERS)}")


ADAPTERS = {"memory": None, "rabbitmq": PER_SYMBOL, "rabbitmq-buckets": Queues(2)}
"""How each adapter divides symbols among queues.  Two buckets: some symbols of a test share one, some do not."""


class Adapter(NamedTuple):
    """What is under test: *url* of the real broker where it needs one, and its queues."""

    url: str
    queues: Queues


@pytest.fixture(params=["memory", "rabbitmq"])
def adapter(request: pytest.FixtureRequest) -> Adapter | None:
    """The adapter under test, and with it the real broker where it needs one; None: the broker in memory."""
    # A synchronous fixture: only such a one may ask for another by name before the loop runs.
    queues = ADAPTERS[request.param]
    return None if queues is None else Adapter(str(request.getfixturevalue("vhost_url")), queues)


@pytest.fixture
async def broker(adapter: Adapter | None) -> AsyncIterator[Controls]:
    """A broker that runs, with an empty log."""
    if adapter is None:
        yield MemoryControls()
        return
    async with AsyncExitStack() as proxies:
        yield RabbitControls(adapter.url, proxies, adapter.queues)
