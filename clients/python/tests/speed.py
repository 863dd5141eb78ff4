"""How many ticks per second of CPU one client takes, from socket to iterator: speed.py [TICKS PER FRAME].

No test: it takes half a minute and prints a figure.  The gateway is another process, so that its cost is its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from multiprocessing.queues import Queue
from typing import Final

from scripted import Peer, gateway, snapshot, tick, ticks, welcome
from tickwire_client import connect
from tickwire_client.sync import connect as connect_sync

TOTAL: Final = 1_000_000
SYMBOLS: Final = [f"SYM{n:02}" for n in range(100)]


def _frames(per_frame: int) -> list[str]:
    lines = [tick(SYMBOLS[n % 100], 2 + n // 100, "230.10", volume=1200345) for n in range(TOTAL)]
    return [ticks(*lines[start : start + per_frame]) for start in range(0, TOTAL, per_frame)]


def _serve(addresses: Queue[str], per_frame: int) -> None:
    frames = _frames(per_frame)

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, *(tick(symbol, 1) for symbol in SYMBOLS)), **dict.fromkeys(SYMBOLS))
        await peer.say(*frames)
        await peer.gone()

    async def main() -> None:
        async with gateway(script, patience=120) as url:
            addresses.put(url)
            await asyncio.Event().wait()

    asyncio.run(main())


async def _read(url: str) -> str:
    count = skipped = 0
    async with connect(url) as feed, feed.subscribe(*SYMBOLS) as subscription:
        await anext(subscription)
        wall, cpu = time.perf_counter(), time.process_time()
        async for one in subscription:
            count, skipped = count + 1, skipped + one.skipped
            if count + skipped == TOTAL:
                break
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return _figure(count, skipped, cpu, wall)


def _read_in_thread(url: str) -> str:
    count = skipped = 0
    with connect_sync(url) as feed, feed.subscribe(*SYMBOLS, timeout=60) as subscription:
        next(subscription)
        wall, cpu = time.perf_counter(), time.process_time()
        for one in subscription:
            count, skipped = count + 1, skipped + one.skipped
            if count + skipped == TOTAL:
                break
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return _figure(count, skipped, cpu, wall)


def _figure(count: int, skipped: int, cpu: float, wall: float) -> str:
    return f"{count:,} ticks, {skipped:,} skipped: {count / cpu:,.0f}/s of CPU, {count / wall:,.0f}/s of time"


if __name__ == "__main__":
    queue: Queue[str] = multiprocessing.Queue()
    serving = multiprocessing.Process(target=_serve, args=(queue, int((sys.argv[1:] or ["400"])[0])))
    serving.start()
    try:
        address = queue.get(timeout=120)
        figure = _read_in_thread(address) if "sync" in sys.argv else asyncio.run(_read(address))
        print(figure)  # noqa: T201 - a figure is printed
    finally:
        serving.kill()
        serving.join()
