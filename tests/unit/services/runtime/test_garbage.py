"""How often the garbage collector looks."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import gc
from services.runtime import garbage
garbage.settle()
print(gc.get_freeze_count() > 1000, *gc.get_threshold())
class Ring: pass
ring = Ring(); ring.self = ring
del ring
print(gc.collect() > 0)
"""


def test_a_settled_process_looks_less_often_and_still_finds_cycles() -> None:
    """What exists is frozen, the thresholds are ours, and a cycle made afterwards is still found."""
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - our own
    assert done.stdout.split() == ["True", "20000", "20", "20", "True"]
