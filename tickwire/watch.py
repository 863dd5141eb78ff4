"""The terminal watcher: a connection that comes back, and whatever shows what it brings."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console
from rich.live import Live

from services.errors import TickwireError
from services.market.symbol import Symbol
from services.runtime.clock import Clock
from tickwire import table
from tickwire.board import Board

URL: Final = "ws://localhost:8080/v1/stream"
SUBPROTOCOL: Final = "tickwire.v1"

_BASE_S: Final = 0.1
_CAP_S: Final = 10.0
"""Most seconds between two attempts; with full jitter the mean is half of it."""
_CONNECT_S: Final = 10.0
_SILENCE_S: Final = 40.0
"""A gateway speaks at least every 15 s (`heartbeat`); after two missed ones the connection counts as dead."""
_FRAME_BYTES: Final = 1024 * 1024
"""Most bytes of one frame: the wire's limit is 64 KiB, later versions may raise it."""
_FRAMES_PER_S: Final = 10
_FIX_FIRST: Final = frozenset({1002, 1003, 1008, 1009, *range(4500, 5000)})
"""Close codes upon which coming back is pointless (the protocol's table)."""


class Refused(TickwireError):
    """The gateway will not serve this watcher, and asking again would not help."""


@dataclass(frozen=True)
class Target:
    """Where to connect; *ca*: a file of certificates to trust instead of the system's."""

    url: str
    ca: Path | None = None

    def trust(self) -> ssl.SSLContext | bool:
        """Return what aiohttp wants as `ssl`."""
        return ssl.create_default_context(cafile=self.ca) if self.ca else True


class NobodyReads(TickwireError):
    """Standard output is a pipe whose reader has gone, as after `| head`."""


async def watch(target: Target, symbols: Sequence[Symbol], *, clock: Clock, stop: asyncio.Event) -> None:
    """Show ticks of *symbols* on standard output until *stop*: a live table on a terminal, else lines.

    Raises:
        Refused: a symbol is unknown, the limit is exceeded, or the gateway closed with a code that says so.
    """
    board = Board(symbols)
    async with _shown(board, target.url, clock) as changed:
        watching = asyncio.create_task(_Watcher(target, board, clock, changed).run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((watching, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            watching.cancel()
            with suppress(asyncio.CancelledError, NobodyReads):
                await watching


@dataclass(frozen=True)
class _Watcher:
    target: Target
    board: Board
    clock: Clock
    changed: Callable[[], None]

    async def run(self) -> None:
        """Be connected for ever."""
        trust, failures = self.target.trust(), 0
        async with aiohttp.ClientSession() as http:
            while True:
                try:
                    reason = await self._converse(http, trust)
                except (aiohttp.ClientError, OSError) as error:
                    reason = _reason(error)
                failures = 0 if self.board.fresh else failures + 1
                wait = random.uniform(0, self._longest_wait(failures))  # noqa: S311 - jitter, not a secret
                self.board.disconnected(f"{reason}; reconnecting")
                self.changed()
                await asyncio.sleep(wait)

    def _longest_wait(self, failures: int) -> float:
        if self.board.reconnect_ms is not None:  # the gateway spreads its clients itself
            return min(_CAP_S, self.board.reconnect_ms / 1000)
        return min(_CAP_S, _BASE_S * 2.0 ** min(failures, 10))

    async def _converse(self, http: aiohttp.ClientSession, trust: ssl.SSLContext | bool) -> str:  # noqa: FBT001
        """Return why the connection ended."""
        async with asyncio.timeout(_CONNECT_S):
            socket = await http.ws_connect(
                self.target.url, protocols=(SUBPROTOCOL,), max_msg_size=_FRAME_BYTES, ssl=trust
            )
        async with socket:
            self.board.connected()
            asking = asyncio.create_task(self._ask(socket))
            try:
                while True:
                    message = await socket.receive(_SILENCE_S)
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        return _ending(socket.close_code, str(message.extra or ""))
                    self._take(message.data)
            finally:
                asking.cancel()

    def _take(self, text: str) -> None:
        try:
            self.board.take(text, self.clock.monotonic())
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise Refused(f"{self.target.url} does not speak {SUBPROTOCOL}: {error!r}") from error
        if self.board.refused:
            raise Refused(self.board.refused)
        self.changed()

    async def _ask(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Subscribe to what is due, now and whenever something becomes due again."""
        with suppress(ConnectionError):  # the receiving side says why
            while True:
                while (command := self.board.command(self.clock.monotonic())) is not None:
                    await socket.send_str(command.decode())
                await asyncio.sleep(1)


def _ending(code: int | None, reason: str) -> str:
    sentence = f"closed with {code}{': ' if reason else ''}{reason}"
    if code in _FIX_FIRST:
        raise Refused(f"the gateway {sentence}")
    return sentence


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        sentence = f"the gateway answered HTTP {error.status} instead of a WebSocket"
        if error.status < 500 and error.status not in (408, 429):  # noqa: PLR2004 - HTTP's own numbers
            raise Refused(sentence) from error
        return sentence
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL):
        raise Refused(str(error)) from error
    return "timed out" if isinstance(error, TimeoutError) else str(error) or type(error).__name__


@asynccontextmanager
async def _shown(board: Board, url: str, clock: Clock) -> AsyncIterator[Callable[[], None]]:
    """Show *board* while the context lasts; yield what must be called after each change of it."""
    if not sys.stdout.isatty():
        yield lambda: _print(board)
        return
    with Live(console=Console(), auto_refresh=False) as live:
        drawing = asyncio.create_task(_draw(live, board, url, clock))
        try:
            yield lambda: _forget(board)
        finally:
            drawing.cancel()


async def _draw(live: Live, board: Board, url: str, clock: Clock) -> None:
    while True:
        live.update(table.draw(board, url, clock.monotonic()), refresh=True)
        await asyncio.sleep(1 / _FRAMES_PER_S)


def _print(board: Board) -> None:
    lines = [f"- {notice}" for notice in board.notices]
    lines += [table.line(seen) for seen in board.shown]
    _forget(board)
    try:
        if lines:
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
    except BrokenPipeError as error:
        # Python flushes standard output once more at its end and would complain about the same pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise NobodyReads from error


def _forget(board: Board) -> None:
    board.notices.clear()
    board.shown.clear()
