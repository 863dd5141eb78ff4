"""How many files and sockets this process may have open."""

from __future__ import annotations

import sys
from typing import Final

_NO_LIMIT: Final = sys.maxsize


def allow_files(count: int) -> int:
    """Raise the soft limit of open files to *count*, as far as the hard limit allows; return what it is then.

    The usual soft limit is 1,024, which a gateway with its default of 10,000 clients would meet in the midst of
    a day.
    """
    if sys.platform == "win32":
        return count
    import resource  # noqa: PLC0415 - it does not exist on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return soft
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def files_allowed() -> int:
    """Return one more than the highest number that a new file may get.

    The kernel gives the lowest free number, so one that is a few below this says that only a few are left.
    """
    if sys.platform == "win32":
        return _NO_LIMIT
    import resource  # noqa: PLC0415 - it does not exist on Windows

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _NO_LIMIT if soft == resource.RLIM_INFINITY else soft
