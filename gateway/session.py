"""One client's connection: what its socket takes, what waits for it, and how it ends.

Nothing here awaits.  The protocol of a wire reads commands, and says when the socket is full; the feed fills the
outbox; `Flush` writes it out; `Sessions` looks at the connections whose sockets are full.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final, Protocol

from gateway import sendqueue
from gateway.admission.doorkeeper import Seat
from gateway.admission.limits import TokenBucket
from gateway.admission.stay import Stay, Turn
from gateway.backlog import Backlog, Verdict
from gateway.closing import GONE, TOO_SLOW, Close
from gateway.counters import Eviction
from gateway.frames import Frame
from gateway.outbox import ROOM_BYTES, Outbox
from services.runtime.clock import Clock

PING_S: Final = 30.0
"""Seconds between two pings.  They find out who has gone; that a silent connection stays known to the routers on
its way (some forget it after 30 s) is the business of the heartbeats, which come more often."""
UNSENT_BYTES: Final = 16 * 1024
"""TCP_NOTSENT_LOWAT: with it the kernel swallows 94 KB for a client that reads nothing, without it 3.3 MB."""

LINGER_MS: Final = 30_000
"""TCP_USER_TIMEOUT of a connection that we have closed: after so many milliseconds without an answer to what is
left, the kernel gives it up.

Not before: Linux counts the whole time in which the client's window is smaller than what waits first, whatever the
client takes meanwhile.  Readers of 3 KB/s with a receive buffer of 4 KB were gone after 31 s (measured on 6.18).
Who is stuck, and who is gone, `look` and `turn` find out.
"""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 s: the socket and the 2.8 MB in it are gone at once (a plain abort leaves FIN-WAIT-1)."""


class Wire(Protocol):
    """How a protocol puts things, and how that becomes bytes; a module of `gateway.wires` may be one."""

    @property
    def PING(self) -> bytes:  # noqa: N802 - a constant of a module
        """What a client answers by itself, as it stands on the socket; empty: there is no such thing."""
        ...

    def encode(self, entries: Sequence[bytes | Frame], sent_us: int) -> list[bytes]:
        """Return the payloads that say *entries*."""
        ...

    def frame(self, payload: bytes) -> bytes:
        """Return *payload* as it stands on the socket."""
        ...

    def heartbeat(self, sent_us: int) -> bytes:
        """Return the payload that breaks a silence."""
        ...


class Follow(Protocol):
    """What a session asks of the feed for its client."""

    def slow(self) -> None:
        """Conflate from now on."""
        ...

    def drained(self) -> None:
        """Go on: everything was taken."""
        ...

    def timed(self, turn: Turn) -> None:
        """Do what the connection's time asks for."""
        ...


class Host(Protocol):
    """What all sessions share."""

    @property
    def touched(self) -> list[Any]:
        """Who has something to say; outboxes add their sessions."""
        ...

    def wake(self) -> None:
        """Write out who is touched, soon."""
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

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    def write_failed(self) -> None:
        """Count a write to a connection that is gone."""
        ...

    def evicted(self, reason: Eviction) -> None:
        """Count a connection that was torn down."""
        ...


class Session:
    """One connection of one client.  *interrupt* makes its protocol close it; *alone*: see `Outbox`.

    The protocol calls `pause` and `resume` when the transport does, whose write buffer limits are set by `tune`:
    so a blocked outbox is one behind whose socket something waits.
    """

    __slots__ = (
        "_aborted",
        "_backlog",
        "_follow",
        "_host",
        "_interrupt",
        "_owed",
        "_pinged",
        "_rest",
        "_slow",
        "_transport",
        "_wire",
        "bucket",
        "closing",
        "heard",
        "id",
        "opened",
        "outbox",
        "pings",
        "seat",
        "slow_spells",
        "stay",
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
        seat: Seat | None = None,
        stay: Stay | None = None,
        alone: bool = False,
    ) -> None:
        self.id = identity
        self.seat, self.stay = seat, stay
        self.outbox = Outbox(self, host.touched, host.wake, alone=alone)
        self.bucket = bucket
        self.pings: TokenBucket | None = None
        """For pings and for pongs that nobody asked for; None: there was none yet, as with most clients."""
        self.closing: Close | None = None
        """Why the gateway ends this connection, once it does."""
        self.opened = self.heard = now
        self.slow_spells = 0
        self._transport = transport
        self._wire = wire
        self._host = host
        self._interrupt = interrupt
        self._follow: Follow | None = None
        self.outbox.said = now
        self._pinged = now if wire.PING else inf
        self._aborted = self._slow = False
        self._owed: float | None = None
        self._backlog: Backlog | None = None
        self._rest: deque[bytes] | None = None
        """Frames behind a full socket, where one write had several; nearly always None (an empty deque is 0.6
        KB)."""

    def follow(self, follow: Follow | None) -> None:
        """Report a slow client to *follow*; None: to nobody any more."""
        self._follow = follow

    @property
    def blocked(self) -> bool:
        """Whether the socket is full."""
        return self.outbox.blocked

    @property
    def idle(self) -> bool:
        """Whether nothing can wait here: the socket has taken everything, and there is nothing to say."""
        outbox = self.outbox
        return not (outbox.blocked or outbox.entries or self.closing)

    @property
    def unsent(self) -> int:
        """Bytes that wait in the transport, behind it, and, of ticks, in the outbox."""
        size = self._transport.get_write_buffer_size()
        if self._rest:
            size += sum(map(len, self._rest))
        return size + self.outbox.size if self.outbox.entries else size

    # ------------------------------------------------------------------------------------------- writing

    def flush(self, now: float, sent_us: int) -> None:
        """Write what waits, as far as the socket takes it; the rest stays behind the watch of the host."""
        if self.outbox.blocked:
            return
        awaited = self.outbox.awaited
        entries = self.outbox.take()
        wire = self._wire
        frames = [wire.frame(payload) for payload in wire.encode(entries, sent_us)]
        ticks = sum(entry.count(b"\n") + 1 for entry in entries if isinstance(entry, bytes))
        self.outbox.said = now
        self._host.sent(len(frames), ticks, sum(map(len, frames)))
        self.send(frames)
        if awaited and not self.outbox.blocked:
            self._host.emptied(self)

    def say(self, payload: bytes, now: float, *, and_ping: bool = False) -> None:
        """Write one payload at once, past the outbox; *and_ping*: and a ping, by the same write."""
        self.outbox.said = now
        frame = self._wire.frame(payload)
        self._host.sent(1, 0, len(frame))
        self._put(frame + self._wire.PING if and_ping else frame)

    def _put(self, data: bytes) -> None:
        """Write frames; where nothing waits in the transport, past it, as `gateway.flush` does and says why."""
        sent = 0
        if self.outbox.fd >= 0 and not self.outbox.blocked:
            with contextlib.suppress(OSError):  # full, or gone: the transport says which
                sent = os.write(self.outbox.fd, data)
        if sent != len(data):
            self.write(data[sent:])

    def write(self, frame: bytes) -> None:
        """Write a frame, or the rest of one.  A connection that is gone takes it, too: its protocol is told."""
        transport = self._transport
        if transport.is_closing():
            self._host.write_failed()
            return
        try:
            transport.write(frame)
        except (RuntimeError, AttributeError, OSError):
            # uvloop raises RuntimeError after an abort, asyncio's TLS transport AttributeError (measured).
            self._host.write_failed()

    def go_on(self) -> None:
        """Tell the feed that everything was taken."""
        if self._follow is not None and not self.outbox.blocked:
            self._follow.drained()

    def send(self, frames: Sequence[bytes]) -> None:
        """Write *frames*, at most 64 KiB at a time; keep what a full socket does not take."""
        if len(frames) == 1 and self._rest is None:
            self.write(frames[0])
            return
        self._rest = deque() if self._rest is None else self._rest
        self._rest.extend(frames)
        self._write_rest()

    def _write_rest(self) -> None:
        rest = self._rest
        while rest and not self.outbox.blocked:
            piece = [rest.popleft()]
            size = len(piece[0])
            while rest and size + len(rest[0]) <= ROOM_BYTES:
                piece.append(rest.popleft())
                size += len(piece[-1])
            self.write(b"".join(piece))
        if not rest:
            self._rest = None

    # -------------------------------------------------------------------------------------- a full socket

    def pause(self) -> None:
        """The transport keeps bytes that the socket did not take.

        A client that does not read is not read from either, or its commands' answers would pile up here.
        """
        if not self.outbox.blocked:
            self.outbox.blocked = True
            left = self._buffered + sendqueue.queued(self._transport)
            self._backlog = Backlog(self._host.clock.monotonic(), left, slow=self._slow)
            if not self._transport.is_closing():
                self._transport.pause_reading()
            self._host.watch(self)

    def resume(self) -> None:
        """The socket has taken everything."""
        if self.outbox.blocked:
            clock = self._host.clock
            self._unblock(clock.monotonic(), clock.wall_us())

    def look(self, now: float, *, stuck_s: float) -> bool:
        """Judge a full socket; return whether it has to be looked at again."""
        backlog = self._backlog
        if backlog is None or self._transport.is_closing():
            return False
        waiting = sum(map(len, self._rest or ())) + self.outbox.size
        queued = sendqueue.queued(self._transport)
        match backlog.look(now, self._buffered, waiting, queued=queued, stuck_s=stuck_s):
            case Verdict.SLOW:
                # Kept until all is taken: what waited may fill the socket again, and slow is said once.
                self._slow = True
                self.slow_spells += 1
                if self._follow is not None:
                    self._follow.slow()
            case Verdict.STUCK:
                self.abort(TOO_SLOW, Eviction.STUCK)
            case _:
                pass
        return self._backlog is not None

    @property
    def _buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    def _unblock(self, now: float, sent_us: int) -> None:
        self.outbox.blocked, self._backlog = False, None
        self.heard = max(self.heard, now - PING_S)  # meanwhile nobody read the client's pongs
        self._write_rest()
        if not self.blocked and self.outbox.entries:
            self.flush(now, sent_us)
        if not self.blocked:
            self._slow = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
            self.go_on()

    # ----------------------------------------------------------------------------------- time and the end

    def turn(self, now: float, sent_us: int, *, heartbeat_s: float) -> float:
        """Break a silence, ping, give up a client that is gone; return when to come again."""
        stay = self.stay
        if stay is not None and self._follow is not None and self.closing is None and now >= stay.next:
            self._follow.timed(stay.look(now))
        if self.closing is not None or self.outbox.blocked or self._transport.is_closing():
            return now + heartbeat_s
        if now - self.heard >= 2 * PING_S:
            self.abort(GONE, Eviction.SILENT)
            return now + heartbeat_s
        # Of heartbeat and ping the one that is due takes the other along: an idle client costs one write in 15 s.
        soon = now + heartbeat_s / 2
        silent, ping = self.outbox.said + heartbeat_s, self._pinged + PING_S
        if now >= min(silent, ping):
            self._speak(silent <= soon, ping <= soon, now, sent_us)
        return min(self.outbox.said + heartbeat_s, self._pinged + PING_S)

    def _speak(self, heartbeat: bool, ping: bool, now: float, sent_us: int) -> None:  # noqa: FBT001 - two flags, one caller
        if ping:
            self._pinged = now
            self._owed = now if self._owed is None else self._owed
        if heartbeat:
            self.say(self._wire.heartbeat(sent_us), now, and_ping=ping)
        elif ping:
            self._put(self._wire.PING)

    def answered(self) -> float | None:
        """Take a pong; return when the oldest ping was sent that had none, None: every ping of ours had one."""
        owed, self._owed = self._owed, None
        return owed

    def end(self, close: Close) -> None:
        """Have the protocol close this connection."""
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
        self.outbox.fd = -1
        self._rest = self._backlog = None
        if reset or self._buffered:
            connection = self._transport.get_extra_info("socket")
            if connection is not None:
                with contextlib.suppress(OSError):  # closed already
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            _set(self._transport, "TCP_USER_TIMEOUT", LINGER_MS)
            self._transport.close()

    def lost(self) -> None:
        """The transport is about to close the socket: its number may be another connection's right afterwards."""
        self.outbox.fd = -1
        self._backlog = None


def tune(transport: asyncio.Transport) -> int:
    """Keep what a client has not read in the outbox, where it can be conflated.

    Returns the socket's file descriptor where frames may be written to it past the transport, else -1.
    """
    connection = transport.get_extra_info("socket")
    secure = transport.get_extra_info("sslcontext") is not None
    # TLS transports pause at `size >= high`, the others at `size > high` (asyncio, uvloop 0.23).
    transport.set_write_buffer_limits(high=1 if secure else 0, low=0)
    if connection is None:
        return -1
    _set(transport, "TCP_NOTSENT_LOWAT", UNSENT_BYTES)
    return -1 if secure else int(connection.fileno())


def _set(transport: asyncio.Transport, option: str, value: int) -> None:
    """Set an option of TCP, where there is such an option and a socket."""
    connection = transport.get_extra_info("socket")
    if connection is None or not hasattr(socket, option):
        return
    with contextlib.suppress(OSError):  # it is no TCP socket, or its client left just now
        connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
