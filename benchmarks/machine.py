"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("aiohttp", "aio-pika", "aiormq", "uvloop", "orjson", "websockets")
MEMORY: Final = r"MemTotal:\s*(\d+)"
"""In KiB."""


def machine() -> dict[str, str]:
    """Return name and value of what a reader needs to repeat or to doubt the figures."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "processor": _found("/proc/cpuinfo", r"model name\s*:\s*(.*)"),
        "memory": f"{int(_found('/proc/meminfo', MEMORY, '0')) / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "nats-server": _said(["nats-server", "--version"], r"v([\d.]+)"),
        "nginx": _said(["/usr/sbin/nginx", "-v"], r"nginx/([\d.]+)"),
    }


def _found(path: str, pattern: str, otherwise: str = "unknown") -> str:
    try:
        match = re.search(pattern, Path(path).read_text())
    except OSError:
        return otherwise
    return match[1].strip() if match else otherwise


def _said(command: list[str], pattern: str) -> str:
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:{Path(sys.executable).parent}")
    if program is None:
        return "not there"
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, timeout=10)
    match = re.search(pattern, done.stdout + done.stderr)
    return match[1] if match else "unknown"
