"""A real Prometheus for the tests: started on a free port with a configuration of theirs, asked through its API.

async with Prometheus(folder, configuration({"gateway": ["127.0.0.1:9100"]})) as prometheus:
    await prometheus.scraped()
    samples = await prometheus.query("sum(up)")
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiohttp import ClientError, ClientSession, ClientTimeout

from services.errors import MissingRequirement
from tests.brokers import free_ports

SCRAPE_S: Final = 1
"""Between two scrapes and two evaluations of rules, where a test says nothing else."""
START_S: Final = 60.0
"""Longest start: 0.3 s are usual."""
STOP_S: Final = 20.0
_POLL_S: Final = 0.05
_PATH: Final = "/usr/bin:/usr/local/bin:/usr/sbin"

Targets = Mapping[str, Sequence[str]]
"""`host:port` by job."""


class Sample(NamedTuple):
    """One answer to a query: a series' labels, the name among them, and its value (of a scalar: none)."""

    labels: dict[str, str]
    value: float


class BadQuery(Exception):
    """Prometheus refused a question; the text is its own."""


def configuration(
    targets: Targets,
    *,
    rules: Iterable[Path] = (),
    scrape_s: float = SCRAPE_S,
    evaluation_s: float = SCRAPE_S,
    alertmanagers: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a configuration that scrapes *targets* and loads the files *rules*; the caller may change it."""
    every = _duration(scrape_s)
    found: dict[str, Any] = {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": _duration(evaluation_s),
        },
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(places)}]} for job, places in targets.items()
        ],
    }
    if alertmanagers:
        found["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]}
    return found


def program(name: str = "prometheus") -> str:
    """Return the path of *name*, which is prometheus or promtool.

    Raises:
        MissingRequirement: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path=_PATH)
    if found is None:
        raise MissingRequirement(f"the tests of monitoring need {name}; on Debian: apt-get install prometheus")
    return found


class Prometheus:
    """One process, whose data stay in *folder*; *config* as `configuration` makes it."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._folder, self._config = folder, config
        (self.port,) = free_ports(1)
        self._process: Process | None = None
        self._http: ClientSession

    async def __aenter__(self) -> Self:
        """Start it, and return once it answers questions."""
        self._http = ClientSession(timeout=ClientTimeout(total=30))
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        await self.stop()

    async def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write()
        command = (
            program(),
            f"--config.file={self._file}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
        )
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=log, stderr=STDOUT
            )
        end = time.monotonic() + START_S
        while not await self._ready():
            assert self._process.returncode is None, f"prometheus ended; {self.tail}"
            assert time.monotonic() < end, f"prometheus is not ready after {START_S} s; {self.tail}"
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """End it, if it runs."""
        await self._http.close()
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def reload(self, config: Mapping[str, Any]) -> None:
        """Go on with another configuration.

        Raises:
            BadQuery: it is no good; the old one stays.
        """
        self._config = config
        self._write()
        async with self._http.post(f"{self.url}/-/reload") as answer:
            if answer.status != 200:
                raise BadQuery(await answer.text())

    # ------------------------------------------------------------------------------------------------ its answers

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def api(self, path: str, **parameters: Any) -> Any:
        """Return the `data` of an endpoint below /api/v1; `match` stands for `match[]`.

        Raises:
            BadQuery: it answers with an error.
        """
        asked = {"match[]" if name == "match" else name: value for name, value in parameters.items()}
        async with self._http.get(f"{self.url}/api/v1/{path}", params=asked) as answer:
            told = await answer.json(content_type=None)
        if told["status"] != "success":
            raise BadQuery(f"{path} {asked}: {told.get('errorType')}: {told.get('error')}")
        return told["data"]

    async def query(self, expression: str) -> list[Sample]:
        """Return what *expression* gives now: a sample per series, none where there is none.

        Raises:
            BadQuery: it is no PromQL, or gives neither a vector nor a scalar.
        """
        data = await self.api("query", query=expression)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        if data["resultType"] != "vector":
            raise BadQuery(f"{expression}: gives a {data['resultType']}")
        return [Sample(found["metric"], float(found["value"][1])) for found in data["result"]]

    async def series(self, match: str) -> list[dict[str, str]]:
        """Return the labels of all series that *match* selects."""
        found: list[dict[str, str]] = await self.api("series", match=match)
        return found

    async def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are pending or firing: `labels`, `annotations`, `state`, `activeAt`, `value`."""
        found: list[dict[str, Any]] = (await self.api("alerts"))["alerts"]
        return found

    async def scraped(self, *, deadline: float = START_S) -> None:
        """Return once every target was scraped well.

        Raises:
            AssertionError: one was not in time; the text has its error.
        """
        end = time.monotonic() + deadline
        while not (found := await self.health()) or set(found.values()) != {"up"}:
            assert time.monotonic() < end, f"not all targets are up after {deadline} s: {found}"
            await asyncio.sleep(_POLL_S)

    async def health(self) -> dict[str, str]:
        """Return `up`, or why not, by address of each target."""
        targets = (await self.api("targets", state="active"))["activeTargets"]
        return {
            target["labels"]["instance"]: target["health"] if target["health"] == "up" else target["lastError"]
            for target in targets
        }

    @property
    def tail(self) -> str:
        """The end of its log, for a failure's message."""
        return f"its log ends with {(self._folder / 'log').read_text(errors='replace')[-2000:]}"

    # ------------------------------------------------------------------------------------------------ inside

    @property
    def _file(self) -> Path:
        return self._folder / "prometheus.yml"

    def _write(self) -> None:
        self._file.write_text(json.dumps(self._config))  # YAML contains JSON

    async def _ready(self) -> bool:
        try:
            async with self._http.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except (ClientError, TimeoutError):
            return False


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
