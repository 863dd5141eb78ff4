"""What the tests of the JavaScript client share: real processes on a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.stack import Stack


@pytest.fixture(name="stack")
async def _stack(vhost_url: str) -> AsyncIterator[Stack]:
    """Gateways and producers to start on a clean broker; what still runs is stopped, and must end well."""
    async with Stack(vhost_url) as stack:
        yield stack
