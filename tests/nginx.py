"""nginx in front of gateways: a proxy that a test can reload, kill and start again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.errors import MissingRequirement
from tests.brokers import free_ports
from tests.eventually import eventually

START_S: Final = 10.0
LINGER_S: Final = 1
"""How long the workers before a reload keep their connections."""
_CONFIG: Final = """\
{user}daemon off; worker_processes 1; worker_shutdown_timeout {linger}s;
pid {folder}/pid; error_log {folder}/error.log notice;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream gateways {{ least_conn; {servers} }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://gateways; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
    }}
    location /v1/sse {{ proxy_pass http://gateways; }}
  }}
}}
"""


class Nginx:
    """A proxy on `stream` for the gateways at *ports* of loopback."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tickwire-nginx-"))
        (self._port,) = free_ports(1)
        self._ports = list(ports)
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where it serves HTTP; `/v1/sse` with nothing but nginx's defaults."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def stream(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self._port}/v1/stream"

    async def start(self) -> None:
        """Start it, and return once it listens.

        Raises:
            MissingRequirement: there is no nginx.
        """
        binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if binary is None:
            raise MissingRequirement("the test of a proxy's reload needs nginx; on Debian: apt-get install nginx")
        config = self._folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                user="user root; " if os.geteuid() == 0 else "",
                linger=LINGER_S,
                folder=self._folder,
                port=self._port,
                servers=" ".join(f"server 127.0.0.1:{port};" for port in self._ports),
            )
        )
        # A session of its own: workers outlive a master that is killed, so all are killed at once.
        self._process = await asyncio.create_subprocess_exec(
            binary,
            "-p",
            str(self._folder),
            "-c",
            str(config),
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
        await self._begun(1)

    async def reload(self) -> None:
        """Read the configuration again: new workers, and after `LINGER_S` the old ones drop their connections."""
        assert self._process is not None
        before = self._workers()
        self._process.send_signal(signal.SIGHUP)
        await self._begun(before + 1)

    async def _begun(self, workers: int) -> None:
        """Return once so many workers were started in all."""
        await eventually(lambda: self._workers() >= workers, deadline=START_S)

    async def kill(self) -> None:
        """Kill it, with all its workers, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            for name in ("pid", "error.log"):
                (self._folder / name).unlink(missing_ok=True)

    async def end(self) -> None:
        """Kill it, and remove what it wrote."""
        await self.kill()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _workers(self) -> int:
        log = self._folder / "error.log"
        return log.read_text().count("start worker process ") if log.exists() else 0
