"""Who used the processor: every process of this machine, by the name of its command."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_by_command() -> Counter[str]:
    """Return the seconds of CPU that the processes alive now have used, and under `idle` those nobody did."""
    used: Counter[str] = Counter()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        fields = rest.split()
        used[head.partition("(")[2]] += (int(fields[11]) + int(fields[12])) * _TICK_S  # type: ignore[assignment]
    idle = Path("/proc/stat").read_text().splitlines()[0].split()[4:6]
    used["idle"] = sum(map(int, idle)) * _TICK_S  # type: ignore[assignment]
    return used
