"""What live queues cost the broker: a queue for each symbol, or buckets, at 1,000 and 10,000 symbols.

    $ .venv/bin/python -m benchmarks.scaling                    # with RabbitMQ 4 in a container
    $ TICKWIRE_TEST_BROKER=local .venv/bin/python -m benchmarks.scaling

Per division of the symbols, on one broker, one after the other: one `RabbitSource` follows all symbols, 64 at once
as a gateway does; then ticks of all symbols are published for a while; then its connection is closed.  Meanwhile a
publisher in another process sends one tick every 10 ms and notes the longest wait for a confirm: what everybody
else notices.  The broker's memory is its allocated memory after a collection of every process.  The rows go into
`benchmarks/figures/queues.json`, those of another broker's version stay.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from benchmarks.ingest import Answers, Counting
from services.broker.metrics import BrokerMetrics
from services.broker.ports import Outgoing, Route
from services.broker.queues import Queues, parse_queues
from services.broker.rabbitmq import RabbitSink, RabbitSource
from services.errors import BrokerUnavailable
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_tick, message_id
from services.runtime.clock import SystemClock
from tests.brokers import Broker, find_broker

RESULTS: Final = Path(__file__).parent / "figures" / "queues.json"
LAYOUTS: Final = (
    *((1_000, text) for text in ("symbol", "bucket:64")),
    *((10_000, text) for text in ("symbol", "bucket:1", "bucket:16", "bucket:64", "bucket:256", "bucket:1024")),
)
AT_ONCE: Final = 64
"""Transitions under way, as `gateway.feed.IN_FLIGHT`."""
PULSE_S: Final = 0.01
LOAD_PER_S: Final = 1_000
LOAD_S: Final = 6.0
BEHIND_S: Final = 0.5
"""A broker whose confirms are so late is given time: else messages would die of their age in its queues."""
CONNECT_S: Final = 30.0
EMPTY_S: Final = 300.0
_MEMORY: Final = "[erlang:garbage_collect(P) || P <- processes()], erlang:memory(total)."
CPU_MS: Final = "element(1, erlang:statistics(runtime))."
_QUEUES: Final = "length(rabbit_amqqueue:list())."


@dataclass(frozen=True, slots=True)
class Row:
    """What *symbols* symbols divided as *queues* cost."""

    broker: str
    symbols: int
    queues: str
    live: int
    """Queues that were made."""
    follow_s: float
    """Until all were followed."""
    follow_cpu_s: float
    """The broker's CPU for it."""
    follow_gateway_cpu_s: float
    follow_stall_ms: float
    """Longest wait of somebody else's publish for its confirm meanwhile."""
    memory_mb: float
    """What the broker's memory grew by."""
    tick_broker_us: float
    """The broker's CPU per message of one tick, from confirm to delivery, with the log."""
    tick_gateway_us: float
    delivered: float
    """Share of the published messages that arrived."""
    close_s: float
    """From the end of the connection until its queues were gone."""
    close_cpu_s: float
    close_stall_ms: float
    load: float
    """Load average of the machine at the end."""


def symbols(count: int) -> list[Symbol]:
    """Return so many symbols."""
    return [Symbol(f"S{n:05d}") for n in range(count)]


class Publisher:
    """The other process: it publishes pulses, and a load when told; see `publish`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, *words: object) -> float:
        """Say a line and return the number that it answers with."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{' '.join(map(str, words))}\n".encode())
        answer = await self._process.stdout.readline()
        return float(answer)

    async def stall_ms(self) -> float:
        """Return the longest wait for a confirm since the last time."""
        return await self.ask("stall")


@asynccontextmanager
async def publisher_to(broker: Broker) -> AsyncIterator[Publisher]:
    """Run the other process for the duration of the block."""
    command, pipe = (sys.executable, "-m", "benchmarks.scaling", "--side", broker.url), asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        yield Publisher(process)
    finally:
        process.kill()
        await process.wait()


async def measure(broker: Broker, version: str, publisher: Publisher, count: int, queues: Queues) -> Row:
    """Return what one division costs."""
    registry, listener = CollectorRegistry(), Counting()
    metrics = BrokerMetrics(registry)
    source = RabbitSource(broker.url, name="bench", clock=SystemClock(), metrics=metrics, queues=queues)
    running = asyncio.create_task(source.run(listener))
    async with asyncio.timeout(CONNECT_S):
        await listener.connected.wait()
    await asyncio.sleep(1)
    memory, cpu, own = await number(broker, _MEMORY), await number(broker, CPU_MS), own_cpu_s()
    await publisher.stall_ms()
    began = time.perf_counter()
    await follow(source, symbols(count))
    follow_s = time.perf_counter() - began
    follow_cpu, follow_own = await number(broker, CPU_MS) - cpu, own_cpu_s() - own
    follow_stall = await publisher.stall_ms()
    grown = await number(broker, _MEMORY) - memory
    live = int(registry.get_sample_value("tickwire_broker_queues") or 0)
    cpu, own, before = await number(broker, CPU_MS), own_cpu_s(), listener.messages
    sent = await publisher.ask("load", count, LOAD_PER_S, LOAD_S)
    await asyncio.sleep(1)
    got = listener.messages - before
    tick_cpu, tick_own = await number(broker, CPU_MS) - cpu, own_cpu_s() - own
    cpu = await number(broker, CPU_MS)
    await publisher.stall_ms()
    began = time.perf_counter()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await gone(broker, began)
    close_s = time.perf_counter() - began
    return Row(
        broker=version, symbols=count, queues=str(queues), live=live,
        follow_s=follow_s, follow_cpu_s=follow_cpu / 1e3, follow_gateway_cpu_s=follow_own,
        follow_stall_ms=follow_stall, memory_mb=grown / 1e6,
        tick_broker_us=tick_cpu * 1e3 / sent, tick_gateway_us=tick_own * 1e6 / max(1, got), delivered=got / sent,
        close_s=close_s, close_cpu_s=(await number(broker, CPU_MS) - cpu) / 1e3,
        close_stall_ms=await publisher.stall_ms(), load=os.getloadavg()[0],
    )  # fmt: skip


async def follow(source: RabbitSource, names: Sequence[Symbol]) -> None:
    """Follow all, `AT_ONCE` at once."""
    waiting = iter(names)

    async def work() -> None:
        for name in waiting:
            await source.follow(name)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def gone(broker: Broker, began: float) -> None:
    """Return once the broker holds no live queue any more; rabbitmqctl alone takes a second."""
    left = inf
    while left > 2:  # the log's, and perhaps another stream's
        assert time.perf_counter() - began < EMPTY_S, "the queues do not go"
        with suppress(subprocess.TimeoutExpired):  # a broker that is busy with them answers late
            left = await number(broker, _QUEUES)


async def number(broker: Broker, expression: str) -> float:
    """Return what an expression is on the broker."""
    return float(await asyncio.to_thread(broker.ctl, "eval", expression))


def own_cpu_s() -> float:
    """Return what this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# ------------------------------------------------------------------------------------------- the other process


class Noting(Answers):
    """Notes the longest wait for a confirm."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[int, float] = {}
        self.longest = 0.0

    def on_settled(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """Look how long it took."""
        super().on_settled(number, multiple=multiple, accepted=accepted)
        now = time.perf_counter()
        for settled in [n for n in self.sent if n == number or (multiple and n < number)]:
            self.longest = max(self.longest, now - self.sent.pop(settled))

    def take(self) -> float:
        """Return the longest wait since the last time, what still waits included."""
        now = time.perf_counter()
        longest = max([self.longest, *(now - at for at in self.sent.values())])
        self.longest = 0.0
        return longest


def tick(symbol: Symbol, seq: int) -> Outgoing:
    """Return a message of one tick."""
    now = time.time_ns() // 1_000
    body = encode_tick(Tick(seq, now, symbol, 23_015, 100, 23_014, 23_016, 3, 1, 1_200_345, 2))
    return Outgoing(Route.TICK, symbol, message_id(1, seq, now), body)


async def publish(url: str) -> None:
    """Publish a pulse every 10 ms; answer each line of standard input with a number.

    `stall`: the longest wait for a confirm since the last time, in milliseconds.  `load SYMBOLS RATE SECONDS`:
    after messages of all symbols in turn were published at that rate, how many.
    """
    sink, answers = RabbitSink(url, name="bench", clock=SystemClock()), Noting()
    running = asyncio.create_task(sink.run(answers))
    await answers.connected.wait()
    pulsing = asyncio.create_task(pulse(sink, answers))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().split():
        match line:
            case ["stall"]:
                print(answers.take() * 1e3, flush=True)
            case ["load", count, rate, seconds]:
                print(await load(sink, answers, symbols(int(count)), int(rate), float(seconds)), flush=True)
    pulsing.cancel()
    running.cancel()


async def pulse(sink: RabbitSink, answers: Noting) -> None:
    """Publish one tick every 10 ms."""
    seq = 0
    while True:
        seq += 1
        with suppress(BrokerUnavailable):
            number = sink.publish([tick(Symbol("PULSE"), seq)])
            answers.sent[number] = time.perf_counter()
        await asyncio.sleep(PULSE_S)


async def load(sink: RabbitSink, answers: Noting, names: Sequence[Symbol], rate: int, seconds: float) -> int:
    """Publish messages of *names* in turn, as many as the broker keeps up with, and return how many."""
    began, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        due = int(spent * rate) if len(answers.sent) * PULSE_S < BEHIND_S else done
        turn = [divmod(n, len(names)) for n in range(done, due)]
        sink.publish([tick(names[index], seq + 1) for seq, index in turn])
        done = due
        await asyncio.sleep(0.002)
    while len(answers.sent) > 1:  # noqa: ASYNC110 - every confirm would have to look at an event
        await asyncio.sleep(PULSE_S)
    return done


# ------------------------------------------------------------------------------------------------- all of it


async def measure_all(broker: Broker, layouts: Sequence[tuple[int, str]]) -> list[Row]:
    """Measure each division."""
    version = (await asyncio.to_thread(broker.ctl, "eval", "rabbit_misc:version().")).strip().strip('"')
    rows = list[Row]()
    async with publisher_to(broker) as publisher:
        for count, queues in layouts:
            rows.append(await measure(broker, version, publisher, count, parse_queues(queues)))
            print(json.dumps(asdict(rows[-1])), flush=True)
            keep(rows)
    return rows


def keep(rows: Sequence[Row]) -> None:
    """Write *rows* into the results."""
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(merged(old, rows), indent=1) + "\n")


def merged(old: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Return *old* with *rows* in place of those of the same broker and division."""
    new = {(row.broker, row.symbols, row.queues): asdict(row) for row in rows}
    kept = {(row["broker"], row["symbols"], row["queues"]): row for row in old.get("rows", [])}
    return {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "rows": list((kept | new).values())}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="*", metavar="SYMBOLS/QUEUES", help="divisions, as 10000/bucket:64")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the figures
    if given.side:
        uvloop.run(publish(given.side))
        return
    layouts = [(n, q) for n, q in LAYOUTS if not given.only or f"{n}/{q}" in given.only]
    broker = find_broker()
    try:
        uvloop.run(measure_all(broker, layouts))
    finally:
        broker.remove()


if __name__ == "__main__":
    main()
