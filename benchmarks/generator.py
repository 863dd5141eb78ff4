"""The load generator, a C program (`loadgen.c`): built, started, and read."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

HERE: Final = Path(__file__).parent
BUILD: Final = HERE / "build"
"""What is compiled; not in git."""


class Missing(RuntimeError):
    """Something that a benchmark needs is not on this machine; the sentence says what."""


def compiled(name: str, *libraries: str) -> Path:
    """Return the program made from `<name>.c`, compiled where it is older than its source.

    Raises:
        Missing: there is no C compiler, or it fails.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing("a C compiler (Debian: apt-get install gcc libc6-dev)")
    source, program = HERE / f"{name}.c", BUILD / name
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    BUILD.mkdir(exist_ok=True)
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source), *libraries]
    if os.spawnvp(os.P_WAIT, compiler, command):  # noqa: S606 - our own source
        raise Missing(f"{name}.c does not compile here")
    return program


def loadgen() -> Path:
    """Return the generator; with TLS where OpenSSL's headers are there."""
    if Path("/usr/include/openssl/ssl.h").exists():
        return compiled("loadgen", "-DTLS", "-lssl", "-lcrypto")
    return compiled("loadgen")


@dataclass(frozen=True)
class Load:
    """What the generator shall do."""

    port: int
    clients: int
    hello: Sequence[str] = ()
    """What each client says after the handshake, one line per client; see `loadgen.c`."""
    path: str = "/v1/stream"
    subprotocol: str | None = None
    warmup: float = 2.0
    seconds: float = 10.0
    slow_share: float = 0.0
    slow_rate: float = 1024.0
    tls: bool = False
    connect_only: bool = False
    in_flight: int = 256
    hold: float = 0.0
    extra: Sequence[str] = field(default=())

    def arguments(self, hello: str) -> list[str]:
        """The command line."""
        given: dict[str, object] = {
            "port": self.port,
            "clients": self.clients,
            "path": self.path,
            "warmup": self.warmup,
            "seconds": self.seconds,
            "slow-share": self.slow_share,
            "slow-rate": self.slow_rate,
            "in-flight": self.in_flight,
            "hold": self.hold,
        }
        if self.hello:
            given["hello"] = hello
        if self.subprotocol:
            given["subprotocol"] = self.subprotocol
        flags = [*(["--tls"] if self.tls else []), *(["--connect-only"] if self.connect_only else [])]
        return [*(f"--{name}={value}" for name, value in given.items()), *flags, *self.extra]


class Generator:
    """One run of the generator.  `until` waits for what it says on stderr; `result` for its end."""

    def __init__(self, process: Process, folder: Path) -> None:
        self._process, self._folder = process, folder

    @classmethod
    async def start(cls, load: Load) -> Self:
        """Start it."""
        folder = Path(tempfile.mkdtemp(prefix="tickwire-bench-"))
        hello = folder / "hello"
        hello.write_text("".join(f"{line}\n" for line in load.hello))
        process = await asyncio.create_subprocess_exec(
            loadgen(), *load.arguments(str(hello)), stdout=PIPE, stderr=PIPE
        )
        return cls(process, folder)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def until(self, word: str) -> None:
        """Return once it has said *word*.

        Raises:
            RuntimeError: it has ended instead.
        """
        assert self._process.stderr is not None
        said = []
        async for line in self._process.stderr:
            said.append(line.decode().strip())
            if said[-1] == word:
                return
        raise RuntimeError(f"the load generator ended before {word!r}: {said}")

    async def result(self) -> dict[str, Any]:
        """Return what it has measured."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended without a result")
        result: dict[str, Any] = json.loads(line)
        return result

    async def stop(self) -> None:
        """End it, whatever it does."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


Measure = Callable[[], dict[str, float]]
Beside = Callable[[], Awaitable[None]]


async def measured(
    load: Load, cpu: Measure, publish: Beside | None = None, at_start: Beside | None = None
) -> tuple[dict[str, Any], dict[str, float]]:
    """Run *load*; return its result, and how much of what *cpu* counts was used while it measured.

    *publish* is run beside it from the moment on that all clients are connected, *at_start* from the moment on
    that it measures; what is not over at the end is cancelled, and what failed, fails the run.
    """
    generator = await Generator.start(load)
    beside: list[asyncio.Future[None]] = []
    try:
        await generator.until("connected")
        if publish is not None:
            beside.append(asyncio.ensure_future(publish()))
        await generator.until("measuring")
        before = cpu()
        if at_start is not None:
            beside.append(asyncio.ensure_future(at_start()))
        await generator.until("measured")
        used = {name: value - before[name] for name, value in cpu().items()}
        result = await generator.result()
        for task in beside:
            if task.done():
                task.result()
        return result, used
    finally:
        await generator.stop()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
