"""The Compose stack under test: an own project, on ports of its own, that leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.errors import MissingRequirement

ROOT: Final = Path(__file__).parents[2]
GATEWAYS: Final = ("gateway-1", "gateway-2")
PRODUCERS: Final = ("producer", "producer-standby")
HISTORIES: Final = ("history-1", "history-2")
PROFILES: Final = ("alerts", "load")
NAMED: Final = "tickwire.test"
"""Another name that the proxy has a certificate for; nobody can look it up."""
RATE: Final = 500
"""Ticks per second, all symbols: two cores carry the whole stack and the clients."""
BUILD_S: Final = 900.0
HEALTHY_S: Final = 180.0
"""Longest wait for every health check: 12 s were seen on two idle cores."""
COMMAND_S: Final = 90.0
_STREAM_CLOSE_DELAY: Final = (2, 7)
"""The first Caddy that knows the option; Debian's is older."""


class Stack:
    """One run of *files*."""

    def __init__(self, *files: str) -> None:
        self.project = f"tickwire-e2e-{os.getpid()}"
        self.notes: list[str] = []
        """What the run measured or left out, for the end of the report."""
        self.https, http, self.management, self.prometheus_port, grafana, self.alertmanager_port = _ports(
            443, 80, 15672, 9090, 3000, 9093
        )
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_FILE": ":".join(files or ("docker-compose.yml",)),
            "TICKWIRE_IMAGE": "tickwire-e2e",
            "TICKWIRE_HTTPS_PORT": str(self.https),
            "TICKWIRE_HTTP_PORT": str(http),
            "TICKWIRE_MANAGEMENT_PORT": str(self.management),
            "TICKWIRE_PROMETHEUS_PORT": str(self.prometheus_port),
            "TICKWIRE_GRAFANA_PORT": str(grafana),
            "TICKWIRE_ALERTMANAGER_PORT": str(self.alertmanager_port),
            "TICKWIRE_RATE": str(RATE),
            "TICKWIRE_SITE": f"localhost, {NAMED}",
            "TICKWIRE_EDGE_SUBNET": _subnet(),
        }
        self._services: list[str] = []
        self.config: dict[str, dict[str, Any]] = {}
        """The services that run without a profile, as Compose understands them."""

    # ------------------------------------------------------------------------------------------- life and death

    def up(self) -> None:
        """Build and start everything, and return once every service is healthy."""
        _require_engine()
        self._adapt()
        self._timed("image built in", "build", timeout=BUILD_S)
        self._timed(
            "every service healthy after",
            "up",
            "--detach",
            "--no-build",
            "--wait",
            *self._services,
            timeout=HEALTHY_S,
        )

    def down(self) -> None:
        """Remove containers, networks and volumes."""
        profiles = [word for profile in PROFILES for word in ("--profile", profile)]
        self.compose(*profiles, "down", "--volumes", "--remove-orphans", "--timeout", "20", timeout=COMMAND_S * 2)

    def _timed(self, words: str, *arguments: str, timeout: float) -> None:
        start = time.monotonic()
        try:
            self.compose(*arguments, timeout=timeout)
        except (subprocess.SubprocessError, AssertionError) as error:
            raise AssertionError(f"{error}\n{self.compose('ps', '--all')}\n{self.logs(20)}") from error
        self.notes.append(f"{words} {time.monotonic() - start:.1f} s")

    def _adapt(self) -> None:
        services = self.config = json.loads(self.compose("config", "--format", "json"))["services"]
        caddy, grafana = services["caddy"]["image"], services["grafana"]["image"]
        if _caddy_version(caddy) < _STREAM_CLOSE_DELAY:
            self._environment["TICKWIRE_CADDY_STREAMS"] = ""
            self.notes.append(f"{caddy} here is older than 2.7: without stream_close_delay")
        if not (_succeeds("docker", "image", "inspect", grafana) or _succeeds("docker", "pull", "-q", grafana)):
            # `--scale grafana=0` would still pull its image.
            # Without it nobody needs its dashboards, and to `--wait` what has ended then is a failure.
            self._services = [name for name in services if name not in ("grafana", "dashboards")]
            self.notes.append(f"{grafana} is neither here nor to be had: without grafana")

    # --------------------------------------------------------------------------------------------------- inside

    def compose(self, *arguments: str, timeout: float = COMMAND_S, given: Mapping[str, str] | None = None) -> str:
        """Run `docker compose`, with the variables *given* besides, and return what it printed.

        Raises:
            AssertionError: it failed; with its last words.
        """
        command = ("docker", "compose", "--project-directory", str(ROOT), *arguments)
        done = _done(*command, environment={**self._environment, **(given or {})}, timeout=timeout)
        if done.returncode != 0:
            raise AssertionError(f"docker compose {' '.join(arguments)}: {(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def logs(self, lines: int = 100_000) -> str:
        """Return the last *lines* log lines of each service."""
        return self.compose("logs", "--no-color", "--tail", str(lines))

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of each service's container."""
        identities = self.compose("ps", "--all", "--quiet").split()
        found = json.loads(_output("docker", "inspect", *identities))
        return {container["Config"]["Labels"]["com.docker.compose.service"]: container for container in found}

    def wait_healthy(self, *services: str) -> None:
        """Start *services* where they do not run, and return once they are healthy."""
        self.compose("up", "--detach", "--no-build", "--no-deps", "--wait", *services, timeout=HEALTHY_S)

    # -------------------------------------------------------------------------------------------------- outside

    @property
    def url(self) -> str:
        """The address of the native wire, as a stranger would type it."""
        port = "" if self.https == 443 else f":{self.https}"
        return f"wss://localhost{port}/v1/stream"

    def authority(self) -> ssl.SSLContext:
        """Return a context that trusts Caddy's local authority and nobody else."""
        certificate = self.compose("exec", "-T", "caddy", "cat", "/data/caddy/pki/authorities/local/root.crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=certificate)
        return context

    def prometheus(self, path: str, **parameters: str) -> Any:
        """Return the `data` that Prometheus answers to a GET of */api/v1/path*."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=10) as response:
            return json.load(response)["data"]

    def values(self, expression: str) -> dict[str, float]:
        """Return what *expression* is now, by the series' label `instance`."""
        result = self.prometheus("query", query=expression)["result"]
        return {series["metric"].get("instance", ""): float(series["value"][1]) for series in result}


def _require_engine() -> None:
    if shutil.which("docker") is None:
        raise MissingRequirement("the e2e tests need a Docker engine with Compose v2, and there is no `docker`")
    for command in (("docker", "info"), ("docker", "compose", "version")):
        if not _succeeds(*command):
            raise MissingRequirement(
                f"the e2e tests need a Docker engine with Compose v2: `{' '.join(command)}` fails"
            )


def _caddy_version(image: str) -> tuple[int, ...]:
    printed = _output("docker", "run", "--rm", "--network", "none", "--entrypoint", "caddy", image, "version")
    found = re.search(r"(\d+)\.(\d+)", printed)
    if found is None:
        raise AssertionError(f"{image} says its version is {printed!r}")
    return tuple(map(int, found.groups()))


def _succeeds(*command: str) -> bool:
    return _done(*command).returncode == 0


def _output(*command: str) -> str:
    done = _done(*command)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr[-1000:]}")
    return done.stdout


def _done(
    *command: str, environment: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the commands stand in this file
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _subnet() -> str:
    """Return a network that another run of the stack on this machine does not have."""
    number = os.getpid() % 16_384
    return f"10.{214 + number // 256 % 32}.{number % 256}.0/24"


def _ports(*wanted: int) -> list[int]:
    """Return *wanted*, each replaced by a free port where somebody has it."""
    sockets = []
    try:
        for port in wanted:
            try:
                sockets.append(socket.create_server(("127.0.0.1", port)))
            except OSError:
                sockets.append(socket.create_server(("127.0.0.1", 0)))
        return [int(s.getsockname()[1]) for s in sockets]
    finally:
        for s in sockets:
            s.close()
