"""What the suite's verdicts were: a table at the end of a run."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

VERDICTS: Final = pytest.StashKey[dict[str, Counter[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no verdict."""
    config.stash[VERDICTS] = {}


@pytest.fixture(scope="session", name="verdicts")
def _verdicts(pytestconfig: pytest.Config) -> dict[str, Counter[str]]:
    """How many cases of each section ended how."""
    return pytestconfig.stash[VERDICTS]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the counts."""
    verdicts = config.stash[VERDICTS]
    if not verdicts:
        return
    terminalreporter.section("Autobahn")
    for section, counts in verdicts.items():
        terminalreporter.write_line(f"section {section}: {_line(counts)}")
    total = sum(verdicts.values(), Counter[str]())
    terminalreporter.write_line(f"all {total.total()} cases: {_line(total)}")


def _line(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
