"""How many files a process may have open."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from services.runtime.files import allow_files, files_allowed


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    """This process's limits, put back afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised() -> None:
    """A soft limit below what is wanted is raised to it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert allow_files(300) == 300
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)


def test_it_is_never_lowered() -> None:
    """A limit above what is wanted stays."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_files(10)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_the_hard_limit_is_the_end() -> None:
    """More than the hard limit cannot be had, and asking for it is no error."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert allow_files(hard + 1) == hard


def test_the_highest_number_follows_the_limit() -> None:
    """What is allowed is the soft limit, as it is now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    assert files_allowed() == 300
