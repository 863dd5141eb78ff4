"""What a delivery costs the gateway on either wire, native and SSE, in turns within one run.

    python -m benchmarks.sse [--rate 3000] [--clients 200] [--each 10] [--seconds 8] [--rounds 3]

Producer, RabbitMQ and gateway are processes; all clients are in one more, which throws away what it reads.  A
delivery is a tick written to a client; its cost is all of the gateway's CPU, also what it takes to consume.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, cast

import uvloop

from benchmarks.market import SYMBOLS, running
from benchmarks.peers.peer import cpu_seconds
from benchmarks.scenarios import Variant
from tests.brokers import find_broker
from tests.stack import Tickwire

WIRES: Final = ("native", "sse")
KEY: Final = "AAAAAAAAAAAAAAAAAAAAAA=="
CONNECT_S: Final = 60.0
WARM_UP_S: Final = 3.0


class Cost(NamedTuple):
    """Of one run."""

    deliveries: float
    seconds: float
    cpu_s: float
    writes: float

    @property
    def line(self) -> str:
        """As a row of the table."""
        rate, each = self.deliveries / self.seconds, self.cpu_s / max(1, self.deliveries) * 1e6
        cores, ticks = self.cpu_s / self.seconds, self.deliveries / max(1, self.writes)
        return f"{rate:>10,.0f}/s {each:>6.2f} us {cores:>5.2f} cores {ticks:>6.1f} ticks a write"


class Deaf(asyncio.Protocol):
    """A client that asks, and does not listen."""

    def __init__(self, wire: str, symbols: Sequence[str]) -> None:
        self._wire, self._symbols = wire, ",".join(symbols)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        path = "/v1/stream" if self._wire == "native" else f"/v1/sse?symbols={self._symbols}"
        upgrade = f"Upgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        self._transport.write(f"{head}{upgrade if self._wire == 'native' else ''}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Subscribe once the handshake is over."""
        if self._wire == "native" and data.startswith(b"HTTP/1.1 101"):
            names = self._symbols.replace(",", '","')
            command = f'{{"op":"subscribe","id":1,"symbols":["{names}"]}}'.encode()
            head = bytes((0x81, 0x80 | 126)) + len(command).to_bytes(2, "big") + bytes(4)
            self._transport.write(head + command)


async def read(port: int, wire: str, clients: int, each: int) -> None:
    """Be the clients, until killed."""
    loop = asyncio.get_running_loop()
    for n in range(clients):
        symbols = [SYMBOLS[(n * 7 + k * 11) % len(SYMBOLS)] for k in range(each)]
        await loop.create_connection(lambda wire=wire, s=symbols: Deaf(wire, s), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.Event().wait()


@asynccontextmanager
async def readers(port: int, wire: str, clients: int, each: int) -> AsyncIterator[None]:
    """Have the clients in a process of their own."""
    given = ["read", str(port), wire, str(clients), str(each)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.sse", *given, stdout=PIPE)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def cost(gateway: Tickwire, wire: str, given: argparse.Namespace) -> Cost:
    """Return what one wire costs."""
    async with readers(gateway.port, wire, given.clients, given.each):
        async with asyncio.timeout(CONNECT_S):
            while await gateway.metric("tickwire_subscriptions") < given.clients * given.each:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # over HTTP there is no event
        await asyncio.sleep(WARM_UP_S)
        names = ("tickwire_ticks_sent_total", "tickwire_frames_sent_total", "tickwire_sse_writes_total")
        before, spent = [await gateway.metric(name) for name in names], cpu_seconds([gateway.pid])
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(given.seconds)
        after, used = [await gateway.metric(name) for name in names], cpu_seconds([gateway.pid]) - spent
        ticks, frames, writes = (late - early for early, late in zip(before, after, strict=True))
        seconds = asyncio.get_running_loop().time() - began
    return Cost(ticks, seconds, used, writes if wire == "sse" else frames)


async def compare(given: argparse.Namespace) -> None:
    """Run both wires in turns and print the median of each."""
    broker = find_broker()
    found: dict[str, list[Cost]] = {wire: [] for wire in WIRES}
    try:
        async with running(broker, given.rate, Variant(), MAX_CONNECTIONS=2 * given.clients) as (_, gateway):
            for _ in range(given.rounds):
                for wire, costs in found.items():
                    costs.append(await cost(gateway, wire, given))
                    print(f"{wire:<8}{costs[-1].line}", flush=True)
    finally:
        broker.remove()
    each = {wire: statistics.median(c.cpu_s / c.deliveries * 1e6 for c in costs) for wire, costs in found.items()}
    print(
        f"medians: native {each['native']:.2f} us, sse {each['sse']:.2f} us, {each['sse'] / each['native']:.2f} x"
    )


def main() -> None:
    """Read the arguments and run."""
    if sys.argv[1:2] == ["read"]:
        port, wire, clients, each = sys.argv[2:]
        uvloop.run(read(int(port), wire, int(clients), int(each)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=3_000, help="ticks a second of the whole market")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--each", type=int, default=10, help="symbols of each client")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    os.environ.setdefault("TICKWIRE_TEST_BROKER", "local")
    uvloop.run(compare(parser.parse_args()))


if __name__ == "__main__":
    main()
