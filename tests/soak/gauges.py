"""What must stay flat while a soak runs: memory, file descriptors and tasks of processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from tests.stack import Tickwire

SAMPLE_S: Final = 5.0
MEMORY_SHARE: Final = 0.10
MEMORY_FLOOR: Final = 8 * 1024**2
"""What a process may grow beside that share: allocators' habits."""
SPARE: Final = 8
"""File descriptors and tasks by which two looks may differ: connections and requests that are under way."""


class Sample(NamedTuple):
    """One look at one process."""

    at: float
    memory: int
    files: int
    tasks: float


class Gauges:
    """Looks at *watched* processes, which must live through the whole soak, every few seconds."""

    def __init__(self, watched: Sequence[Tickwire]) -> None:
        self._watched = watched
        self.samples: dict[int, list[Sample]] = {process.pid: [] for process in watched}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for process in self._watched:
                try:
                    tasks = await process.metric("tickwire_loop_tasks")
                except (OSError, TimeoutError, KeyError):
                    continue  # frozen just now
                sample = Sample(time.monotonic(), process.memory()["Private_Dirty"], _files(process), tasks)
                self.samples[process.pid].append(sample)
            await asyncio.sleep(SAMPLE_S)

    def verdicts(self) -> list[tuple[str, float, float]]:
        """Return what is measured, its value, and the most that it may be, of each process.

        The second quarter of the time is compared with the last one: in the first, caches and tapes fill.
        """
        found = []
        for process in self._watched:
            samples = self.samples[process.pid]
            quarter = len(samples) // 4
            early, late = samples[quarter : 2 * quarter], samples[-quarter:]
            name = f"{process.kind} {process.ops_port}"
            before, after = (median(s.memory for s in part) for part in (early, late))
            allowed = before * MEMORY_SHARE + MEMORY_FLOOR
            found.append((f"{name}: private memory grew, MB", (after - before) / 2**20, allowed / 2**20))
            for what in ("files", "tasks"):
                before, after = (median(getattr(s, what) for s in part) for part in (early, late))
                found.append((f"{name}: {what} grew", after - before, SPARE))
        return found


def _files(process: Tickwire) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
