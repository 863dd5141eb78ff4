"""The listening socket: lets new connections in a few at a time.

An event loop's own server accepts until nobody waits any more, and works all of their handshakes off in one go:
with 5,000 newcomers the clients that are there already hear nothing for a second.  Here a few are let in, and the
loop is left to the others for a moment before the next few.

From then until its request is complete, and between two requests, a connection is pending:
`gateway/admission/porch.py` decides how long, and how many may be.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from gateway.admission.porch import Overdue, Porch
from gateway.tls import HANDSHAKE_S, SHUTDOWN_S
from services.runtime.clock import Clock
from services.runtime.files import files_allowed

AT_ONCE: Final = 4
"""Connections accepted in one turn: a handshake takes 0.3 ms, so a tick waits about 1 ms for them."""
REST_S: Final = 0.002
"""Seconds until the next turn, after one that let so many in: at most 2,000 connections a second and process."""
LATE_REST: Final = 2.0
"""Seconds that this rest is longer, for each by which the end of the last one came late: a late timer says that
the loop, or the machine, has more to do than the others' ticks can wait for."""
MOST_REST_S: Final = 0.05
"""Longest rest: at least 80 connections a second come in, whatever the machine does."""
OUT_OF_FILES_S: Final = 1.0
"""Seconds until the next attempt where this process, or the machine, has no file descriptor left."""
RESERVED_FILES: Final = 16
"""File descriptors that newcomers are not given: without one, probes of `/livez` are dropped, and a supervisor
would kill a gateway whose clients are served; a lost connection to the broker could not be made again either."""
BACKLOG: Final = 4096
"""Connections that the kernel holds until they are accepted: after a restart everybody comes at once."""
LOOK_S: Final = 0.25
"""Seconds between two looks at the pending connections, while there are any."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = structlog.get_logger("tickwire.gateway")


class Guest:
    """One connection, as long as it is open or pending.  Its protocol says here how far it has come."""

    __slots__ = ("_connection", "_door", "_rested", "_transport", "began")

    def __init__(self, door: Doorway, connection: socket.socket) -> None:
        self._door, self._connection = door, connection
        self._rested = False
        self._transport: asyncio.Transport | None = None
        self.began: float | None = door.now()
        """When it was accepted, or the first byte of its present request came; None: it rests between two."""

    def connected(self, transport: asyncio.Transport) -> None:
        """It stands, behind TLS where there is some: its first byte is awaited."""
        self._transport = transport
        self._door.porch.greet(self, self._door.now())

    def heard(self, size: int) -> None:
        """*size* bytes came."""
        if self.began is None:
            self.began = self._door.now()
        self._door.porch.hear(self, size)

    def asks(self) -> None:
        """The head of a request is there, its body is not: where it is not the first, it has a time of its own."""
        if self._rested:
            self._door.await_request(self)

    def arrived(self) -> None:
        """The request is complete."""
        self._door.porch.leave(self)

    def rests(self) -> None:
        """The request has its answer: within the time of another request it is taken, and that request is there.

        Without it a client that reads nothing would keep socket and answer for ever.
        """
        self._rested, self.began = True, None
        self._door.await_request(self, again=True)

    def left(self) -> None:
        """The connection is gone, or somebody else's."""
        self._transport = None
        self._door.porch.leave(self)

    def garbled(self) -> None:
        """What came is no request."""
        self._door.garbled += 1

    def oversized(self) -> None:
        """What came is too much for a request."""
        self._door.oversized += 1

    def drop(self) -> None:
        """End it, whatever state it is in."""
        if self._transport is not None:
            self._transport.abort()
            return
        # Its TLS handshake hears the end from the kernel: where it is cancelled, asyncio leaves the socket open.
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


Factory = Callable[[Guest], asyncio.Protocol]


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket bound to *host* and *port*; *shared*: others may bind it, too (SO_REUSEPORT).

    Raises:
        OSError: the address is taken or not this machine's.
    """
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def rest_after(late: float) -> float:
    """Return how many seconds nobody is let in, where the last rest's end came *late* seconds too late."""
    return min(REST_S + LATE_REST * max(0.0, late), MOST_REST_S)


class Doorway:
    """Accepts from *listener* and gives each connection a protocol from *factory*, which is told its `Guest`.

    *context*: returns what the next newcomer is served with by TLS; None: without.  *porch*: who is pending.
    """

    def __init__(
        self,
        listener: socket.socket,
        factory: Factory,
        context: Callable[[], ssl.SSLContext | None],
        porch: Porch[Guest],
        clock: Clock,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._factory, self._context, self.porch = listener, factory, context, porch
        self._clock = clock
        self._look: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._loop.time()
        self._late = 0.0
        self.accepted = 0
        self.exhausted = 0
        """Turns in which a file descriptor was lacking."""
        self.unfinished = 0
        """TLS handshakes that failed or took too long."""
        self.overdue: Counter[Overdue] = Counter(dict.fromkeys(Overdue, 0))
        """Connections dropped before their request was complete, by reason."""
        self.garbled = 0
        """Requests that were none."""
        self.oversized = 0
        """Requests with too much of a header, or of a body."""
        self.port: int = listener.getsockname()[1]
        listener.listen(BACKLOG)
        self._open()

    def close(self) -> None:
        """Let nobody in any more; the handshakes under way are finished."""
        if self._timer is not None:
            self._timer.cancel()
        elif self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener.fileno())
        self._listener.close()

    def now(self) -> float:
        """Return the seconds that the porch is asked with: a loop's own stand still within its turn (uvloop)."""
        return self._clock.monotonic()

    def await_request(self, guest: Guest, *, again: bool = False) -> None:
        """Count *guest* as pending from now on; where they are many, drop who has been for the longest."""
        crowded = self.porch.come(guest, self.now(), again=again)
        if crowded is not None:
            self._drop(crowded, Overdue.CROWDED)
        if self._look is None:
            self._look = self._loop.call_later(LOOK_S, self._look_around)

    def _look_around(self) -> None:
        for guest, reason in self.porch.overdue(self.now()):
            self._drop(guest, reason)
        self._look = self._loop.call_later(LOOK_S, self._look_around) if self.porch else None

    def _drop(self, guest: Guest, reason: Overdue) -> None:
        self.overdue[reason] += 1
        guest.drop()

    def _open(self) -> None:
        self._timer = None
        self._late = self._loop.time() - self._due
        self._loop.add_reader(self._listener.fileno(), self._turn)

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._open)

    def _turn(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._wait_for_files(error.strerror or "")
                return
            if connection.fileno() >= files_allowed() - RESERVED_FILES:
                connection.close()
                self._wait_for_files("the last ones are reserved")
                return
            self.accepted += 1
            self._admit(connection)
        self._rest(rest_after(self._late))

    def _wait_for_files(self, error: str) -> None:
        if not self.exhausted:
            _log.error("gateway.out_of_files", error=error)
        self.exhausted += 1
        self._rest(OUT_OF_FILES_S)

    def _admit(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        guest = Guest(self, connection)
        task = self._loop.create_task(self._connect(connection, guest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.await_request(guest)

    async def _connect(self, connection: socket.socket, guest: Guest) -> None:
        context = self._context()
        limits = {} if context is None else {
            "ssl_handshake_timeout": HANDSHAKE_S,
            "ssl_shutdown_timeout": SHUTDOWN_S,
        }  # fmt: skip
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._factory(guest), connection, ssl=context, **limits
            )
        except OSError:  # of TLS, too: whoever it was has gone, or speaks no TLS
            self.unfinished += guest in self.porch  # else it was dropped, and that was counted
            connection.close()
            guest.left()
