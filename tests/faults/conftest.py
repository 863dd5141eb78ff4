"""What the fault tests share: uvloop, real processes, a cluster where one is asked for, the table of figures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final

import pytest
import uvloop

from tests.cluster import Cluster
from tests.faults.figures import TABLE, Figures
from tests.stack import Stack

FIGURES: Final = pytest.StashKey[Figures]()


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test once: the processes under test have loops of their own."""
    del item
    return {"uvloop": uvloop.new_event_loop}


def pytest_configure(config: pytest.Config) -> None:
    """Begin with an empty table."""
    config.stash[FIGURES] = Figures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table, and keep it."""
    figures = config.stash[FIGURES]
    if figures.found:
        figures.write()
        terminalreporter.section(f"faults, also in {TABLE.parent.name}/{TABLE.name}")
        terminalreporter.write_line(figures.table)


@pytest.fixture(scope="session", name="figures")
def _figures(pytestconfig: pytest.Config) -> Figures:
    """The table."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture(name="stack")
async def _stack(vhost_url: str) -> AsyncIterator[Stack]:
    """Gateways and producers to start on a clean broker; what still runs is stopped, and must end well."""
    async with Stack(vhost_url) as stack:
        yield stack


@pytest.fixture(scope="session", name="cluster")
def _cluster() -> Iterator[Cluster]:
    """Three nodes of one cluster; each test leaves all of them running and joined."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
