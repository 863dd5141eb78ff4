"""The table of bad tokens that these tests try."""

from __future__ import annotations

from typing import Final

import pytest

from tests.attempts import TABLE, Attempts

ATTEMPTS: Final = pytest.StashKey[Attempts]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with an empty table."""
    config.stash[ATTEMPTS] = Attempts()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table, and keep it."""
    attempts = config.stash.get(ATTEMPTS, Attempts())
    if attempts.found:
        attempts.write()
        terminalreporter.section(f"bad tokens, also in {TABLE.parent.name}/{TABLE.name}")
        terminalreporter.write_line(attempts.table)


@pytest.fixture(scope="session", name="attempts")
def _attempts(pytestconfig: pytest.Config) -> Attempts:
    """The table."""
    return pytestconfig.stash.setdefault(ATTEMPTS, Attempts())
