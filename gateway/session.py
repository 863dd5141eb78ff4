"""One client's connection: what its socket takes, what waits for it, and how it ends.

Nothing here awaits while ticks flow.  The handler of a wire reads commands; the feed fills the outbox; `Flush`
calls `flush`; `Sessions` looks at the connections whose sockets are full.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from gateway.admission.limits import TokenBucket
from gateway.backlog import Backlog, Verdict
from gateway.closing import GONE, TOO_SLOW, Close
from gateway.frames import Frame
from gateway.metrics import Eviction
from gateway.outbox import ROOM_BYTES, Outbox
from gateway.wires import framing

PING_S: Final = 25.0
"""Seconds between two pings: below the 30 s after which home routers forget an idle connection."""
UNSENT_BYTES: Final = 16 * 1024
"""TCP_NOTSENT_LOWAT: with it the kernel swallows 94 KB for a client that reads nothing, without it 3.3 MB."""

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 s: the socket and the 2.8 MB in it are gone at once (a plain abort leaves FIN-WAIT-1)."""


class Wire(Protocol):
    """How a protocol puts things; a module of `gateway.wires` is one."""

    def encode(self, entries: Sequence[bytes | Frame], sent_us: int) -> list[bytes]:
        """Return the text payloads that say *entries*."""
        ...

    def heartbeat(self, sent_us: int) -> bytes:
        """Return the text payload that breaks a silence."""
        ...


class Follow(Protocol):
    """What a session asks of the feed for its client."""

    def slow(self) -> None:
        """Conflate from now on."""
        ...

    def drained(self) -> None:
        """Go on: everything was taken."""
        ...


class Host(Protocol):
    """What all sessions share."""

    def touch(self, session: Session) -> None:
        """The session's outbox has its first entry."""
        ...

    def emptied(self, session: Session) -> None:
        """The session's outbox was full and has room again."""
        ...

    def watch(self, session: Session) -> None:
        """The session's socket is full."""
        ...

    def sent(self, frames: int, ticks: int, size: int) -> None:
        """Count what was written."""
        ...

    def write_failed(self) -> None:
        """Count a write to a connection that is gone."""
        ...

    def evicted(self, reason: Eviction) -> None:
        """Count a connection that was torn down."""
        ...


class Session:
    """One connection of one client.  *interrupt* makes its handler end, which it must do itself."""

    __slots__ = (
        "_aborted",
        "_backlog",
        "_follow",
        "_host",
        "_interrupt",
        "_pinged",
        "_rest",
        "_rest_size",
        "_said",
        "_slow",
        "_transport",
        "_waiter",
        "_wire",
        "bucket",
        "bytes",
        "closing",
        "frames",
        "heard",
        "id",
        "opened",
        "outbox",
        "slow_spells",
        "ticks",
    )

    def __init__(
        self,
        identity: str,
        transport: asyncio.Transport,
        wire: Wire,
        host: Host,
        *,
        bucket: TokenBucket,
        interrupt: Callable[[], object],
        now: float,
    ) -> None:
        self.id = identity
        self.outbox = Outbox(self._wake)
        self.bucket = bucket
        self.closing: Close | None = None
        """Why the gateway ends this connection, once it does."""
        self.opened = self.heard = now
        self.frames = self.ticks = self.bytes = self.slow_spells = 0
        self._transport = transport
        self._wire = wire
        self._host = host
        self._interrupt = interrupt
        self._follow: Follow | None = None
        self._said = self._pinged = now
        self._aborted = self._slow = False
        self._backlog: Backlog | None = None
        self._rest: deque[bytes] = deque()
        self._rest_size = 0
        self._waiter: asyncio.Future[None] | None = None

    def follow(self, follow: Follow | None) -> None:
        """Report a slow client to *follow*; None: to nobody any more."""
        self._follow = follow

    @property
    def blocked(self) -> bool:
        """Whether the socket is full."""
        return self.outbox.blocked

    # ------------------------------------------------------------------------------------------- writing

    def flush(self, now: float, sent_us: int) -> None:
        """Write what waits, as far as the socket takes it; the rest stays behind the watch of the host."""
        if self.outbox.blocked:
            return
        lacked_room = not self.outbox.room
        entries = self.outbox.take()
        ticks = list(map(type, entries)).count(bytes)
        payloads = self._wire.encode(entries, sent_us)
        self._said = now
        size = self._write_all([framing.text(payload) for payload in payloads], now)
        self._count(len(payloads), ticks, size)
        if lacked_room and not self.outbox.blocked:
            self._host.emptied(self)

    def say(self, payload: bytes, now: float) -> None:
        """Write one text payload at once, past the outbox."""
        self._said = now
        frame = framing.text(payload)
        self._count(1, 0, len(frame))
        self.write(frame, now)

    def write(self, frame: bytes, now: float) -> None:
        """Write one whole frame.  A connection that is gone takes it, too: its handler will notice."""
        transport = self._transport
        if transport.is_closing():
            self._host.write_failed()
            return
        try:
            transport.write(frame)
        except (RuntimeError, AttributeError, OSError):
            # uvloop raises RuntimeError after an abort, asyncio's TLS transport AttributeError (measured).
            self._host.write_failed()
            return
        if transport.get_write_buffer_size():
            self._block(now)

    def go_on(self) -> None:
        """Tell the feed that everything was taken."""
        if self._follow is not None and not self.outbox.blocked:
            self._follow.drained()

    def _wake(self) -> None:
        self._host.touch(self)

    def _count(self, frames: int, ticks: int, size: int) -> None:
        self.frames += frames
        self.ticks += ticks
        self.bytes += size
        self._host.sent(frames, ticks, size)

    def _write_all(self, frames: Sequence[bytes], now: float) -> int:
        """Write *frames*, at most 64 KiB at a time; keep what a full socket does not take.  Return the bytes."""
        if len(frames) == 1:
            self.write(frames[0], now)
            return len(frames[0])
        self._rest.extend(frames)
        size = sum(map(len, frames))
        self._rest_size += size
        self._write_rest(now)
        return size

    def _write_rest(self, now: float) -> None:
        while self._rest and not self.outbox.blocked:
            piece = [self._rest.popleft()]
            size = len(piece[0])
            while self._rest and size + len(self._rest[0]) <= ROOM_BYTES:
                piece.append(self._rest.popleft())
                size += len(piece[-1])
            self._rest_size -= size
            self.write(b"".join(piece), now)

    # -------------------------------------------------------------------------------------- a full socket

    def _block(self, now: float) -> None:
        if not self.outbox.blocked:
            self.outbox.blocked = True
            self._backlog = Backlog(now, self._transport.get_write_buffer_size(), slow=self._slow)
            self._host.watch(self)

    def look(self, now: float, sent_us: int, *, stuck_s: float) -> bool:
        """Judge a full socket; return whether it has to be looked at again."""
        backlog = self._backlog
        if backlog is None or self._transport.is_closing():
            self._release()
            return False
        buffered = self._transport.get_write_buffer_size()
        match backlog.look(now, buffered, self._rest_size + self.outbox.size, stuck_s=stuck_s):
            case Verdict.DRAINED:
                self._unblock(now, sent_us)
            case Verdict.SLOW:
                # Kept until all is taken: what waited may fill the socket again, and slow is said once.
                self._slow = True
                self.slow_spells += 1
                if self._follow is not None:
                    self._follow.slow()
            case Verdict.STUCK:
                self.abort(TOO_SLOW, Eviction.STUCK)
        return self._backlog is not None

    async def writable(self) -> None:
        """Return once the socket takes something again, or is gone.

        A client that does not read is not read from either, or its commands' answers would pile up here.
        """
        while self.outbox.blocked and not self._transport.is_closing():
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _unblock(self, now: float, sent_us: int) -> None:
        self.outbox.blocked, self._backlog = False, None
        self.heard = max(self.heard, now - PING_S)  # meanwhile nobody read the client's pongs
        self._write_rest(now)
        if not self.blocked and self.outbox.entries:
            self.flush(now, sent_us)
        if not self.blocked:
            self._slow = False
            self._release()
            self.go_on()

    def _release(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ----------------------------------------------------------------------------------- time and the end

    def turn(self, now: float, sent_us: int, *, heartbeat_s: float) -> float:
        """Break a silence, ping, give up a client that is gone; return when to come again."""
        if self._transport.is_closing():
            return now + heartbeat_s
        if self._transport.get_write_buffer_size():  # a close frame or the like, written by the wire itself
            self._block(now)
        if self.outbox.blocked:
            return now + heartbeat_s
        if now - self.heard >= 2 * PING_S:
            self.abort(GONE, Eviction.SILENT)
            return now + heartbeat_s
        if now - self._said >= heartbeat_s:
            self.say(self._wire.heartbeat(sent_us), now)
        if now - self._pinged >= PING_S:
            self._pinged = now
            self.write(framing.PING, now)
        return min(self._said + heartbeat_s, self._pinged + PING_S)

    def end(self, close: Close) -> None:
        """Have the handler close this connection; closing it from elsewhere ends in a reset (aiohttp)."""
        if self.closing is None:
            self.closing = close
            self._interrupt()

    def abort(self, close: Close, reason: Eviction) -> None:
        """Free the socket at once.  A client that reads nothing could not read a close frame either."""
        if self._aborted:
            return
        self._aborted = True
        self.closing = close
        self._host.evicted(reason)
        self.finish(reset=True)

    def finish(self, *, reset: bool = False) -> None:
        """Let go of the socket; what it has not taken by now (always, if *reset*) is thrown away with it.

        Closing a transport with unsent bytes instead keeps them, and the socket, for a client that reads nothing
        until TCP gives up, about 15 minutes (measured: 21 MB).
        """
        if reset or self._transport.get_write_buffer_size():
            connection = self._transport.get_extra_info("socket")
            if connection is not None:
                with contextlib.suppress(OSError):  # closed already
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        self._rest.clear()
        self._rest_size = 0
        self._backlog = None
        self._release()


def tune(transport: asyncio.Transport) -> None:
    """Keep what a client has not read where it can be conflated: in the outbox, not in the kernel."""
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    transport.set_write_buffer_limits(high=ROOM_BYTES, low=ROOM_BYTES // 4)
