"""What the tests of monitoring share: uvloop, and one run of each test."""

from __future__ import annotations

from tests.faults.conftest import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]
