"""Count what becomes of every tick of one symbol: gaps.py URL SYMBOL [SECONDS]."""

import asyncio
import sys
from contextlib import suppress

from tickwire_client import EpochChange, Gap, Status, connect


def say(event: Gap | EpochChange | Status) -> None:
    """Print whatever happens besides ticks."""
    print(event, flush=True)


async def main(url: str, symbol: str, seconds: float) -> None:
    """Follow *symbol* for *seconds* and print its account."""
    async with connect(url, on_gap=say, on_epoch=say, on_status=say) as feed:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for tick in feed.subscribe(symbol):
                    if tick.skipped:
                        print(f"{tick.skipped} ticks before {tick.position} were left out", flush=True)
        print(feed.account(symbol), "up to", feed.cursor(symbol), flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 10))  # noqa: PLR2004
