"""Tickwire as real processes: started, watched through their logs and operations ports, stopped, accounted for."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from prometheus_client.parser import text_string_to_metric_families

from tests.brokers import free_ports
from tickwire.workers import OPS_STEP

START_S: Final = 30.0
"""Longest start of a process; 1 to 2 s are usual, two busy cores may need ten times that."""
DRAIN_S: Final = 5.0
STOP_S: Final = DRAIN_S + 5.0
"""What a process may take from SIGTERM to its exit: TICKWIRE_DRAIN_S (5 s by default) and 5 s more."""
KEPT_LINES: Final = 2_000
ONE_ADDRESS: Final = {"MAX_PER_ADDRESS": 1_000_000, "HANDSHAKE_RATE": 100_000, "HANDSHAKE_BURST": 1_000_000}
"""Settings of every gateway that names no others: all clients of a test come from one address."""
_MEMORY: Final = ("Rss", "Pss", "Private_Dirty")

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Tickwire:
    """One `python -m tickwire …` process.  *log* has its last 2,000 lines, parsed; *stray* what was not JSON."""

    def __init__(self, kind: str, process: Process, http: ClientSession) -> None:
        self.kind = kind
        self.log: deque[dict[str, Any]] = deque(maxlen=KEPT_LINES)
        self.stray: list[str] = []
        self.excused: set[str] = set()
        """Events that a fault of the test's brings about, so that they are no errors of the process."""
        self.port = self.ops_port = 0
        self._process, self._http = process, http
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name=f"log:{kind}:{process.pid}")

    # ------------------------------------------------------------------------------------------------ its life

    @classmethod
    async def start(
        cls,
        kind: str,
        environment: Mapping[str, object],
        http: ClientSession,
        *,
        through: Sequence[str] = ("-m", "tickwire"),
        arguments: Sequence[str] = (),
    ) -> Self:
        """Start a process on free ports and return once it listens there; *through*: what Python is to run."""
        ops_port, port = free_ports(2)
        port = int(str(environment.get("PORT", port)))
        ports = {"OPS_PORT": ops_port, "PORT": port} if kind == "gateway" else {"OPS_PORT": ops_port}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKWIRE_")}
        given = {**ports, **environment}
        if int(str(environment.get("WORKERS", 1))) > 1:
            given["OPS_PORT"] = ops_port - OPS_STEP  # so that it is the first worker's
        settings = {f"TICKWIRE_{name}": str(value) for name, value in given.items()}
        command = (sys.executable, *through, kind, *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=clean | settings, stdout=PIPE, stderr=STDOUT)
        self = cls(kind, process, http)
        self.ops_port, self.port = ops_port, ports.get("PORT", 0)
        try:
            for listening in ports.values():
                await self._listens(listening)
        except BaseException:
            await self.kill()
            raise
        return self

    async def _listens(self, port: int) -> None:
        end = time.monotonic() + START_S
        while True:
            assert not self._reader.done(), f"{self.kind} ended before it listened; {self.tail}"
            assert time.monotonic() < end, f"{self.kind} does not listen after {START_S} s; {self.tail}"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    async def stop(self) -> float:
        """Send SIGTERM; return the seconds to the end, which must come in time and with exit code 0."""
        began = time.monotonic()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"{self.kind} had not ended {STOP_S} s after SIGTERM; {self.tail}") from None
        spent = time.monotonic() - began
        await self._reader
        assert code == 0, f"{self.kind} ended with {code}; {self.tail}"
        return spent

    async def ended(self, deadline: float = STOP_S) -> int:
        """Return the exit code once it has ended by itself."""
        code = await asyncio.wait_for(self._process.wait(), deadline)
        await self._reader
        return code

    async def kill(self) -> None:
        """Send SIGKILL and wait."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader

    def freeze(self) -> None:
        """Stop it in its tracks (SIGSTOP) until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.returncode is None

    # --------------------------------------------------------------------------------------------- its answers

    @property
    def stream(self) -> str:
        """The address of the native wire."""
        return f"ws://127.0.0.1:{self.port}/v1/stream"

    async def probe(self, path: str = "/readyz") -> tuple[int, str]:
        """Return status and text of a path of the operations port."""
        async with self._http.get(f"http://127.0.0.1:{self.ops_port}{path}") as answer:
            return answer.status, (await answer.text()).strip()

    async def ready(self, *, ready: bool = True, deadline: float = START_S) -> str:
        """Return the reason once /readyz says that it is (or is not) ready."""
        wanted = 200 if ready else 503
        end = time.monotonic() + deadline
        while (found := await self.probe())[0] != wanted:
            assert time.monotonic() < end, f"{self.kind} says {found} after {deadline} s; {self.tail}"
            await asyncio.sleep(0.05)
        return found[1]

    async def metrics(self) -> Samples:
        """Return what /metrics shows: the value by name and labels."""
        _, text = await self.probe("/metrics")
        families = text_string_to_metric_families(text + "\n")
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    async def metric(self, name: str, **labels: str) -> float:
        """Return one value."""
        return (await self.metrics())[name, frozenset(labels.items())]

    def memory(self) -> dict[str, int]:
        """Return Rss, Pss and Private_Dirty in bytes."""
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines()
        lines = [line.split() for line in rollup[1:]]
        return {words[0][:-1]: int(words[1]) * 1024 for words in lines if words[0][:-1] in _MEMORY}

    def cpu_s(self) -> float:
        """Return the seconds of CPU that it used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # ------------------------------------------------------------------------------------------------- its log

    async def logged(self, event: str, deadline: float = START_S) -> dict[str, Any]:
        """Return the first kept line of *event*, once it is there."""
        try:
            async with asyncio.timeout(deadline):
                while True:
                    for line in self.log:
                        if line.get("event") == event:
                            return line
                    assert not self._reader.done(), f"{self.kind} ended without {event}; {self.tail}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self.kind}: no {event} within {deadline} s; {self.tail}") from None

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Lines of level error or worse, without the excused."""
        lines = [line for line in self.log if line.get("level") in {"error", "critical"}]
        return [line for line in lines if line.get("event") not in self.excused]

    @property
    def tail(self) -> str:
        """The end of its log, for a failure's message."""
        return f"its log ends with {list(self.log)[-8:]}, stray {self.stray[-20:]}"

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            try:
                self.log.append(orjson.loads(line))
            except ValueError:
                self.stray.append(line.decode(errors="replace").rstrip())
            self._news.set()
        self._news.set()


class Stack:
    """Gateways and producers on one broker; leaving it stops what still runs and checks how it ended."""

    def __init__(self, broker_url: str) -> None:
        self.broker_url = broker_url
        self.processes: list[Tickwire] = []
        self.through: dict[str, Sequence[str]] = {}
        """What Python is to run for a kind of process, where it is not `-m tickwire`."""
        self.http: ClientSession

    async def __aenter__(self) -> Self:
        """Begin with no process."""
        self.http = ClientSession(
            timeout=ClientTimeout(total=10),
            connector=TCPConnector(limit=0),  # the default lets no more than 100 WebSockets be open
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything; where the test has not failed yet, a bad end or a stray line fails it now."""
        try:
            ends = await asyncio.gather(*(p.stop() for p in self.processes if p.alive), return_exceptions=True)
        finally:
            await self.http.close()
        if error is None:
            for end in ends:
                if isinstance(end, BaseException):
                    raise end
            for process in self.processes:
                assert not process.stray, f"{process.kind} wrote lines that are no JSON: {process.stray}"
                assert not process.errors, f"{process.kind} logged errors: {process.errors}"

    async def gateway(self, **settings: object) -> Tickwire:
        """Start a gateway on free ports."""
        return await self.start("gateway", settings)

    async def producer(self, **settings: object) -> Tickwire:
        """Start a producer."""
        return await self.start("producer", settings)

    async def start(self, kind: str, settings: Mapping[str, object], *arguments: str) -> Tickwire:
        """Start a process of any kind; *arguments* come behind its kind on the command line."""
        common: dict[str, object] = {
            "BROKER_URL": self.broker_url,
            "LOG_STYLE": "json",
            "DRAIN_S": DRAIN_S,
            **(ONE_ADDRESS if kind == "gateway" else {}),
        }
        process = await Tickwire.start(
            kind,
            {**common, **settings},
            self.http,
            through=self.through.get(kind, ("-m", "tickwire")),
            arguments=arguments,
        )
        self.processes.append(process)
        return process


def latency_quantile(samples: Samples, quantile: float, stage: str = "total") -> float:
    """Return a quantile of tickwire_latency_seconds in seconds."""
    return histogram_quantile(samples, quantile, "tickwire_latency_seconds", stage=stage)


def histogram_quantile(samples: Samples, quantile: float, family: str, **labels: str) -> float:
    """Return a quantile of the histogram *family* with *labels*, linear within its bucket, as Prometheus does."""
    buckets: dict[float, float] = {}
    for (name, found), value in samples.items():
        if name == f"{family}_bucket" and labels.items() <= (of := dict(found)).items():
            buckets[float(of["le"])] = value
    rank = quantile * max(buckets.values(), default=0)
    lower = below = 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank and count > below:
            return lower if bound == float("inf") else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return float("nan")
