"""Print ticks of some symbols as they come: print.py URL SYMBOL..."""

import asyncio
import sys

from tickwire_client import connect


async def main(url: str, *symbols: str) -> None:
    """Follow *symbols* at *url* for ever."""
    async with connect(url) as feed:
        async for tick in feed.subscribe(*symbols, max_rate=5):
            print(f"{tick.symbol} {tick.price} x {tick.size}, {tick.latency * 1000:.1f} ms old", flush=True)


asyncio.run(main(*sys.argv[1:]))
