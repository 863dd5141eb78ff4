"""Several gateways on one port: starts them, starts again what dies, ends them together.

Each worker is a process of its own that listens on the same port (SO_REUSEPORT: the kernel spreads new
connections) and knows nothing of the others.  Its standard input is a pipe from here: when it ends, the worker
does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import structlog

from gateway.doorway import bind
from gateway.settings import GatewaySettings
from services.broker.backoff import Backoff, jitter
from services.errors import CannotListen, TickwireError
from services.runtime.settings import typed, variable

OPS_STEP: Final = 10
"""Worker n's operations port is `TICKWIRE_OPS_PORT` + 10 + n: 9110, 9111, ..."""
END_S: Final = 7.0
"""Seconds that a worker may take beyond its drain time until it is killed."""

_log = structlog.get_logger("tickwire.workers")


class WorkerFailed(TickwireError):
    """A worker did not end as it was told to."""


def environment(settings: GatewaySettings, number: int, port: int) -> dict[str, str]:
    """Return what a worker is started with: all settings of *settings*, and what is its own."""
    own = {"workers": 1, "worker": number, "port": port}
    own["ops_port"] = settings.ops_port and settings.ops_port + OPS_STEP + number
    given = {name: value for name, value in settings.model_dump().items() if value is not None}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
    return clean | {variable(name): typed(value) for name, value in {**given, **own}.items()}


def serve_all(settings: GatewaySettings) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return the main of the process that has `settings.workers` workers."""

    async def main(stop: asyncio.Event) -> None:
        with _reserve(settings) as reserved:
            port = int(reserved.getsockname()[1])
            workers = [
                Worker(n, environment(settings, n, port), settings.unready_s + settings.drain_s)
                for n in range(settings.workers)
            ]
            _log.info("workers.starting", workers=len(workers), port=port)
            async with asyncio.TaskGroup() as tasks:
                for worker in workers:
                    tasks.create_task(worker.run(stop), name=f"worker:{worker.number}")

    return main


def _reserve(settings: GatewaySettings) -> socket.socket:
    """Bind the port without listening: so it is ours, and known where any free one was asked for."""
    try:
        return bind(settings.host, settings.port, shared=True)
    except OSError as error:
        raise CannotListen(variable("port"), settings.host, settings.port, error) from error


class Worker:
    """One worker, over all its lives."""

    def __init__(self, number: int, environment: Mapping[str, str], drain_s: float) -> None:
        self.number, self._environment, self._drain_s = number, dict(environment), drain_s
        self._backoff = Backoff(jitter)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it alive until *stop*, then end it.

        Raises:
            WorkerFailed: its last life ended with a code other than 0.
        """
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self._live(stopping)
        finally:
            stopping.cancel()

    async def _live(self, stopping: asyncio.Future[Any]) -> None:
        loop = asyncio.get_running_loop()
        began, process = loop.time(), await self._start()
        ended: asyncio.Future[Any] = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                await self._end(process, ended)
                return
            wait = self._backoff.after(loop.time() - began)
            _log.warning("workers.died", worker=self.number, code=process.returncode, again_in_s=round(wait, 3))
            await asyncio.wait({stopping}, timeout=wait)
        finally:
            if process.returncode is None:
                process.kill()
            await ended

    async def _start(self) -> Process:
        # A session of its own: Ctrl-C is for us, and we pass it on.
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tickwire", "gateway", env=self._environment, stdin=PIPE, start_new_session=True
        )

    async def _end(self, process: Process, ended: asyncio.Future[Any]) -> None:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        done, _ = await asyncio.wait({ended}, timeout=self._drain_s + END_S)
        if not done:
            raise WorkerFailed(f"worker {self.number} had not ended {self._drain_s + END_S:g} s after SIGTERM")
        if ended.result():
            raise WorkerFailed(f"worker {self.number} ended with {ended.result()}")
