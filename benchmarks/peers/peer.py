"""What a peer is: a server process of its own, and a way to have ticks published through it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

SYMBOL: Final = "AAPL"
"""The one symbol that every client of a fan-out follows."""

HELLO: Final = json.dumps({"op": "subscribe", "id": 1, "symbols": [SYMBOL]})
"""What a client says after the handshake, also where the server asks for nothing.  (Not to nchan, which serves
nobody who speaks to a subscriber's address; NATS and MQTT have words of their own.)

A client that has spoken acknowledges more of what comes later in packets of their own, whose price the sender's
CPU pays on a loopback interface: the C loop takes 9.1 to 9.4 µs per send of 16 ticks to mute clients, 10.4 to 10.6
to these."""


class Unavailable(RuntimeError):
    """What a peer needs is not on this machine; the sentence says what."""


@dataclass(frozen=True)
class Target:
    """Where a client connects, and what it says after the handshake; `hex:…` is a binary frame."""

    port: int
    path: str
    subprotocol: str | None = None
    hello: Sequence[str] = ()


@dataclass(frozen=True)
class Schedule:
    """When ticks are due: *rate* times a second, *ticks* at once, for *seconds*."""

    rate: float
    ticks: int
    seconds: float

    async def each(self, publish: Callable[[list[bytes]], Awaitable[None]]) -> None:
        """Call *publish* with the ticks that are due, at the time they are due (an open loop)."""
        start, wall = time.monotonic() + 0.5, time.time_ns() // 1000 + 500_000
        seq = 0
        for number in range(int(self.rate * self.seconds)):
            due = number / self.rate
            await asyncio.sleep(max(0.0, start + due - time.monotonic()))
            await publish([tick_line(seq + n, wall + int(due * 1e6)) for n in range(1, self.ticks + 1)])
            seq += self.ticks


class Peer(Protocol):
    """A server that hands ticks of `SYMBOL` to every client."""

    name: str
    how: str
    """How it is used, in a sentence."""

    async def start(self, schedule: Schedule, clients: int) -> Target:
        """Start the server; some make the ticks of *schedule* themselves, once *clients* are there.

        Raises:
            Unavailable: something is not installed.
        """
        ...

    @property
    def pids(self) -> Iterable[int]:
        """The processes whose CPU counts: the server's only."""
        ...

    async def publish(self, schedule: Schedule) -> None:
        """Publish by *schedule*; returns at once where the server makes the ticks itself."""
        ...

    async def stop(self) -> None:
        """End every process."""
        ...


def tick_line(seq: int, ts: int) -> bytes:
    """Return a tick as Tickwire encodes it."""
    return (
        b'{"seq":%d,"ts":%d,"symbol":"AAPL","price":230.15,"size":100,"bid":230.14,"ask":230.16,'
        b'"bid_size":3,"ask_size":1,"volume":1200345}' % (seq, ts)
    )


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        found.extend(map(int, children))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time of processes, with all their threads."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
