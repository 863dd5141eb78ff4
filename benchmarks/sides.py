"""Two ways to do the same, each in a process of its own, one after the other in the same run."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from services.broker.ports import Outgoing, Route
from services.market.symbol import Symbol
from services.market.tick import Tick
from services.market.wire import encode_body, encode_tick, message_id

SYMBOLS: Final = tuple(Symbol(f"BENCH{n}") for n in range(100))
EPOCH: Final = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What *messages* messages took."""

    messages: int
    seconds: float
    cpu_s: float
    """User and system time of the whole process, its threads included."""

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU per message."""
        return self.cpu_s / max(1, self.messages) * 1e6


def tick_message(number: int, ticks: int = 1) -> Outgoing:
    """Return the *number*th message of a schedule over `SYMBOLS`, from 0: *ticks* ticks of about 150 bytes."""
    turn, index = divmod(number, len(SYMBOLS))
    symbol, now, first = SYMBOLS[index], time.time_ns() // 1_000, turn * ticks + 1
    body = encode_body([
        encode_tick(Tick(seq, now, symbol, 23_015, 100, 23_014, 23_016, 3, 1, 1_200_345, 2))
        for seq in range(first, first + ticks)
    ])  # fmt: skip
    return Outgoing(Route.TICK, symbol, message_id(EPOCH, first, now), body)


async def cost_of(seconds: float, messages: Callable[[], int]) -> Cost:
    """Return what this process spends on the messages that it counts in *seconds* from now."""
    before, count, began = _cpu_s(), messages(), time.perf_counter()
    await asyncio.sleep(seconds)
    return Cost(messages() - count, time.perf_counter() - began, _cpu_s() - before)


def show(cost: Cost) -> None:
    """Print *cost* for `run_side` of another process."""
    print(json.dumps(asdict(cost)))


async def run_side(module: str, *arguments: str) -> Cost:
    """Run *module* with *arguments* in a process of its own and return the cost that it shows.

    Raises:
        RuntimeError: it failed; what it said on stderr is on ours.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments[:1])} ended with {process.returncode}")
    return Cost(**json.loads(output))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
