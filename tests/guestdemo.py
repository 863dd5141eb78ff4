"""The demo as a process, for tests without a loop of their own: what strangers run against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tickwire_client.sync import connect

START_LINES: Final = 50
"""Log lines within which the demo must have said that it listens."""
START_S: Final = 30.0
STOP_S: Final = 15.0


@contextmanager
def demo(**variables: str) -> Iterator[str]:
    """Run the demo on free ports; once it has a tick, yield its address, `http://127.0.0.1:PORT`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    settings = {
        "TICKWIRE_PORT": "0",
        "TICKWIRE_OPS_PORT": "0",
        "TICKWIRE_LOG_STYLE": "json",
        "TICKWIRE_DRAIN_S": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tickwire", "demo"], env={**kept, **settings, **variables}, stdout=subprocess.PIPE
    )
    # Its log is read on, so that it never waits for a reader.
    drain = threading.Thread(target=lambda: list(process.stdout or ()), name="demo:log")
    try:
        address = _started(process)["page"].rstrip("/")
        drain.start()
        with connect(address) as feed:
            next(feed.subscribe("AAPL", timeout=START_S))
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if drain.ident is not None:
            drain.join()
        if process.stdout is not None:
            process.stdout.close()


def _started(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    for _ in range(START_LINES):
        line = process.stdout.readline()
        assert line, "the demo ended before it listened"
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "demo.started":
            return event
    raise AssertionError(f"no demo.started in {START_LINES} lines")
