"""Scrapes the operations ports that it is given, as Prometheus does, until its standard input ends.

    python -m tests.faults.scraper EVERY_S PORT…

It is a process of its own, so that its work is not done on the loop that reads the clients' ticks.  Writes how
many scrapes it made and how long the median and the slowest took, in ms, to standard output.
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson
from aiohttp import ClientSession


async def scrape(every_s: float, ports: list[int]) -> None:
    """Scrape each of *ports* every *every_s* seconds; one that is late moves the next one."""
    took: list[float] = []
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(0, over.set)
    async with ClientSession() as http:
        while not over.is_set():
            began = time.monotonic()
            await asyncio.gather(*(_one(http, port, took) for port in ports))
            try:
                async with asyncio.timeout(every_s - (time.monotonic() - began)):
                    await over.wait()
            except TimeoutError:
                continue
    ordered = sorted(took)
    sys.stdout.write(
        orjson.dumps({"scrapes": len(took), "median_ms": ordered[len(took) // 2], "most_ms": ordered[-1]}).decode()
    )


async def _one(http: ClientSession, port: int, took: list[float]) -> None:
    began = time.monotonic()
    async with http.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        assert b"tickwire_build_info" in await answer.read()
    took.append((time.monotonic() - began) * 1e3)


if __name__ == "__main__":
    asyncio.run(scrape(float(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
