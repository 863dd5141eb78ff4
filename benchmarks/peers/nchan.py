"""nchan: nginx as a publish/subscribe server (nchan.io, "Publisher Endpoints", "Subscriber Endpoints").

One worker process, no message buffer, WebSocket subscribers, HTTP POST over a kept connection as the publisher.  A
batch is one message.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers.peer import SYMBOL, Schedule, Target, Unavailable
from tests.brokers import free_ports

START_S: Final = 10.0
MODULE: Final = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_CONFIG: Final = """\
load_module {module};
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 65536;
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 60000; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000; tcp_nodelay on; nchan_max_reserved_memory 64M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ /pub/(\\w+)$ {{ nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 1;
                             nchan_message_timeout 5s; }}
    location ~ /sub/(\\w+)$ {{ nchan_subscriber websocket; nchan_channel_id $1;
                             nchan_subscriber_first_message newest; }}
  }}
}}
"""


class Nchan:
    """nginx with nchan."""

    name = "nchan"
    how = "nginx with nchan, one worker; HTTP POST as the publisher, a batch is one message"

    def __init__(self) -> None:
        self._process: Process | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="tickwire-nchan-"))
        self._port = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def start(self, schedule: Schedule, clients: int) -> Target:
        """See `Peer`."""
        del schedule, clients
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if nginx is None or not MODULE.exists():
            raise Unavailable("nginx with nchan (Debian: apt-get install libnginx-mod-nchan)")
        (self._port,) = free_ports(1)
        config = self._folder / "nginx.conf"
        config.write_text(_CONFIG.format(module=MODULE, folder=self._folder, port=self._port))
        self._process = await asyncio.create_subprocess_exec(
            nginx, "-c", str(config), "-p", str(self._folder), stdout=DEVNULL, stderr=DEVNULL
        )
        async with asyncio.timeout(START_S):
            while self._writer is None:
                try:
                    self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
                except OSError:
                    await asyncio.sleep(0.05)
        return Target(self._port, f"/sub/{SYMBOL}")

    @property
    def pids(self) -> Sequence[int]:
        """See `Peer`."""
        return [] if self._process is None else [self._process.pid]

    async def publish(self, schedule: Schedule) -> None:
        """See `Peer`."""
        draining = asyncio.create_task(self._drain())
        try:
            await schedule.each(self._publish)
        finally:
            draining.cancel()

    async def _drain(self) -> None:
        assert self._reader is not None
        while await self._reader.read(65_536):
            pass

    async def _publish(self, lines: list[bytes]) -> None:
        assert self._writer is not None
        body = b"\n".join(lines)
        head = b"POST /pub/%b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        self._writer.write(head % (SYMBOL.encode(), len(body)) + body)

    async def stop(self) -> None:
        """See `Peer`."""
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
