"""One stack for all e2e tests, and its measurements at the end of the report."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack

_NOTES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def notes(pytestconfig: pytest.Config) -> list[str]:
    """Return what the end of the report says about the stacks."""
    return pytestconfig.stash.setdefault(_NOTES, [])


@pytest.fixture(scope="session")
def stack(notes: list[str]) -> Iterator[Stack]:
    """Return the running stack; without an engine this is an error, never a skip."""
    stack = Stack()
    try:
        stack.up()
        yield stack
    finally:
        notes += stack.notes
        stack.down()


@pytest.fixture(scope="session")
def context(stack: Stack) -> ssl.SSLContext:
    """Return a context that trusts the stack's authority alone."""
    return stack.authority()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the run measured."""
    for note in config.stash.get(_NOTES, []):
        terminalreporter.write_line(f"compose: {note}")
