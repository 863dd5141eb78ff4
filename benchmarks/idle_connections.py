"""What an idle WebSocket connection costs a gateway in memory.

    python benchmarks/idle_connections.py [--connections 5000] [--headers browser]

Starts a gateway without a broker (it serves, and has nothing to say but heartbeats), opens the connections over
loopback, and prints the memory of the gateway's process per connection.  Imports nothing of Tickwire's.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import platform
import resource
import secrets
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Final

WARM_UP: Final = 200
"""Connections opened before the first look: what they cost once (allocator, code paths) stays out."""
AT_ONCE: Final = 100
SPARE_FILES: Final = 100
WAIT_S: Final = 30.0
SETTLE_S: Final = 2.0
BROWSER: Final = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0 Safari/537.36\r\n"
    "Pragma: no-cache\r\nCache-Control: no-cache\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def gateway(connections: int) -> tuple[Process, int]:
    """Start a gateway on a free port; return it with the port."""
    settings = {
        "BROKER_URL": "amqp://127.0.0.1:1/",
        "PORT": "0",
        "OPS_PORT": "0",
        "LOG_STYLE": "json",
        "MAX_CONNECTIONS": str(connections + WARM_UP),
        "DRAIN_S": "0",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickwire", "gateway",
        env=clean | {f"TICKWIRE_{name}": value for name, value in settings.items()}, stdout=PIPE, stderr=DEVNULL,
    )  # fmt: skip
    if process.stdout is None:
        raise RuntimeError("no pipe")
    async with asyncio.timeout(WAIT_S):
        async for text in process.stdout:
            line = json.loads(text)
            if line.get("event") == "gateway.started":
                return process, int(line["port"])
    raise RuntimeError("the gateway ended before it had started")


async def drain(process: Process) -> None:
    """Read on: a gateway that nobody listens to stands still once the pipe is full of its log."""
    if process.stdout is not None:
        while await process.stdout.read(65_536):
            pass


async def connect(port: int, headers: str, turn: asyncio.Semaphore) -> Connection:
    """Open one connection and read its `welcome`."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    async with turn, asyncio.timeout(WAIT_S):
        # 1 KB: this end's buffers are not what is measured.
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(
            f"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n".encode()
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.partition(b"\r\n")[0]:
            raise RuntimeError(answer.decode())
        await reader.readexactly(2)
    return reader, writer


def memory(pid: int) -> dict[str, int]:
    """Return Rss, Pss and Private_Dirty of a process, in bytes."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    return {
        words[0][:-1]: int(words[1]) * 1024 for words in lines if words[0] in {"Rss:", "Pss:", "Private_Dirty:"}
    }


def allow_files(count: int) -> None:
    """Raise this process's limit of open files, which the gateway inherits, to *count*."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        most = hard if hard == resource.RLIM_INFINITY or hard >= count else count
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, most))


async def measure(connections: int, headers: str) -> None:
    """Run the benchmark and print its table."""
    process, port = await gateway(connections)
    draining = asyncio.create_task(drain(process))
    opened: list[Connection] = []
    turn = asyncio.Semaphore(AT_ONCE)
    try:
        opened += await asyncio.gather(*(connect(port, headers, turn) for _ in range(WARM_UP)))
        await asyncio.sleep(SETTLE_S)
        before, began = memory(process.pid), time.monotonic()
        opened += await asyncio.gather(*(connect(port, headers, turn) for _ in range(connections)))
        spent = time.monotonic() - began
        await asyncio.sleep(SETTLE_S)
        after = memory(process.pid)
    finally:
        for _, writer in opened:
            writer.transport.abort()
        process.terminate()
        await draining
        await process.wait()
    sys.stdout.write(
        f"{connections} idle connections opened in {spent:.1f} s ({connections / spent:.0f}/s)\n"
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.release()}, exit code "
        f"{process.returncode}\n\n| memory | before, MB | after, MB | per connection, KB |\n|---|---|---|---|\n"
    )
    for name, first in before.items():
        each = (after[name] - first) / connections / 1024
        sys.stdout.write(f"| {name} | {first / 1e6:.1f} | {after[name] / 1e6:.1f} | {each:.1f} |\n")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="Memory of a gateway per idle connection.")
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--headers", choices=("plain", "browser"), default="plain")
    arguments = parser.parse_args()
    allow_files(arguments.connections + WARM_UP + SPARE_FILES)
    asyncio.run(measure(arguments.connections, BROWSER if arguments.headers == "browser" else ""))


if __name__ == "__main__":
    main()
