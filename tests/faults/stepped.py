"""`python stepped.py CLOCK KIND`: Tickwire with a wall clock that a test can set while it runs.

CLOCK is a file of eight bytes: how many nanoseconds the wall clock is ahead, signed, little-endian.  Tickwire
reads the wall clock in one place (`services.runtime.clock`); CLOCK_MONOTONIC is left alone, as by NTP.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path

SIZE = 8


def set_clock(clock: Path, seconds: float) -> None:
    """Put the wall clock of all who read *clock* so many *seconds* ahead; before their start, too."""
    ahead = int(seconds * 1e9).to_bytes(SIZE, "little", signed=True)
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(ahead)


def _step(clock: Path) -> None:
    with clock.open("rb") as file:
        ahead = mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ)
    real = time.time_ns
    time.time_ns = lambda: real() + int.from_bytes(ahead[:SIZE], "little", signed=True)


if __name__ == "__main__":
    _step(Path(sys.argv.pop(1)))
    sys.path[0] = str(Path(__file__).parents[2])
    from tickwire.cli import main

    sys.exit(main())
