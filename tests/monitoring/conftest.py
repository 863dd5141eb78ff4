"""What the tests of monitoring share: uvloop, one run of each test, and their figures at the end of the report."""

from __future__ import annotations

import pytest

from tests.faults.conftest import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

FIGURES: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing."""
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the tests measured."""
    for figure in config.stash[FIGURES]:
        terminalreporter.write_line(f"monitoring: {figure}")


@pytest.fixture(scope="session", name="figures")
def _figures(pytestconfig: pytest.Config) -> list[str]:
    """Lines to print at the end."""
    return pytestconfig.stash[FIGURES]
