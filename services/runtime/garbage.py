"""The garbage collector of a process that runs for months and must not stop for long.

Reference counting frees nearly everything; what the collector is for are cycles, which here only handshakes and
failures make.  A full collection looks at every container there is, meanwhile nobody gets a tick: 33 to 53 ms for
what a gateway consists of right after its imports (Python 3.11, two shared cores), and more with each client.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 20_000
"""Containers that may be made, less those freed, before the youngest generation is looked at: about 1 ms."""
MIDDLE: Final = 20
OLDEST: Final = 20
"""Looks at the generation below before one at the middle and at the oldest.  Besides, a full collection waits
until a quarter of the oldest generation is new (CPython, `gc_collect_with_callback`)."""


def settle() -> None:
    """Take what exists now (modules, classes) out of the collector's sight, and let it look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLDEST)
