"""The terminal watcher: the client's ticks, and whatever shows them."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

import tickwire_client as client
from services.errors import BadInput, TickwireError
from services.market.symbol import Symbol
from services.runtime.clock import Clock
from tickwire import table
from tickwire.bearer import Bearer
from tickwire.board import Board, Happening
from tickwire_client import Feed, Subscription, connect
from tickwire_client.hooks import Callbacks

URL: Final = "ws://localhost:8080/v1/stream"
_FRAMES_PER_S: Final = 10


class Refused(TickwireError):
    """The gateway will not serve this watcher, and asking again would not help."""


@dataclass(frozen=True)
class Target:
    """Where to connect, and as whom; *ca*: a file of certificates to trust instead of the system's."""

    url: str
    ca: Path | None = None
    bearer: Bearer | None = field(default=None, repr=False)

    def trust(self) -> ssl.SSLContext | None:
        """Return the certificates to trust; None: the system's.

        Raises:
            BadInput: the file cannot be read, or holds none.
        """
        try:
            return ssl.create_default_context(cafile=self.ca) if self.ca else None
        except ssl.SSLError:
            raise BadInput(f"--ca {self.ca}: no certificates in PEM, but must hold the authority's") from None
        except OSError as error:
            raise BadInput(f"--ca {self.ca}: {error.strerror}") from None


class NobodyReads(TickwireError):
    """Standard output is a pipe whose reader has gone, as after `| head`."""


async def watch(target: Target, symbols: Sequence[Symbol], *, clock: Clock, stop: asyncio.Event) -> None:
    """Show ticks of *symbols* on standard output until *stop*: a live table on a terminal, else lines.

    Raises:
        Refused: a symbol is unknown, the limit is exceeded, or the gateway will not serve us at all.
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


class _Watcher:
    """Brings what the client says to the board."""

    def __init__(self, target: Target, board: Board, clock: Clock, changed: Callable[[], None]) -> None:
        self._target, self._board, self._clock, self._changed = target, board, clock, changed
        self._ticks: Subscription | None = None

    async def run(self) -> None:
        """Be connected for ever."""
        tell = self._tell
        callbacks = Callbacks(on_gap=tell, on_session=tell, on_status=tell, on_violation=tell, on_complaint=tell)
        target = self._target
        try:
            async with connect(
                target.url, token=target.bearer, ssl=target.trust(), timeout=None, **callbacks
            ) as feed:
                await self._show(feed)
        except (client.Refused, client.NotFollowed) as error:
            raise Refused(str(error)) from error

    async def _show(self, feed: Feed) -> None:
        board = self._board
        async with feed.subscribe(*board.rows) as self._ticks:
            board.states, board.days = feed.state, feed.day
            async for tick in self._ticks:
                board.take(tick, self._clock.monotonic())
                if not self._ticks.waiting:
                    self._settled()

    def _tell(self, happening: Happening) -> None:
        waiting = self._ticks.waiting if self._ticks is not None else 0
        self._board.tell(happening, waiting)
        if not waiting:
            self._settled()

    def _settled(self) -> None:
        self._board.settle()
        self._changed()


@asynccontextmanager
async def _shown(board: Board, url: str, clock: Clock) -> AsyncIterator[Callable[[], None]]:
    """Show *board* while the context lasts; yield what must be called after each change of it."""
    if not sys.stdout.isatty():
        yield lambda: _print(board)
        return
    with Live(console=Console(), auto_refresh=False) as live:
        drawing = asyncio.create_task(_draw(live, board, url, clock))
        try:
            yield board.shown.clear
        finally:
            drawing.cancel()


async def _draw(live: Live, board: Board, url: str, clock: Clock) -> None:
    while True:
        board.look()
        live.update(table.draw(board, url, clock.monotonic()), refresh=True)
        await asyncio.sleep(1 / _FRAMES_PER_S)


def _print(board: Board) -> None:
    lines = [table.line(seen) for seen in board.shown]
    board.shown.clear()
    try:
        if lines:
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
    except BrokenPipeError as error:
        # Python flushes standard output once more at its end and would complain about the same pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise NobodyReads from error
