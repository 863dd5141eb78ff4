"""History as real processes on a real RabbitMQ: snapshots of quiet symbols, and the day's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from tests.checker import Checker
from tests.eventually import eventually
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import Record

SEED: Final = 3
RATE: Final = 300
BRISK: Final = [f"B{n}" for n in range(5)]
QUIET: Final = "QUIET"
SYMBOLS: Final = [*BRISK, QUIET]
CLOSES: Final = {QUIET: 50.25} | {symbol: 100.5 + n for n, symbol in enumerate(BRISK)}

pytestmark = pytest.mark.timeout(120)


def symbols(folder: Path) -> Path:
    """A file of five symbols that trade, and one that ticks at the start only."""
    rows = [f"{symbol},{symbol} Inc.,{CLOSES[symbol]:.2f},0.9,1.0,60" for symbol in BRISK]
    path = folder / "symbols.csv"
    header = "symbol,name,price,volatility,beta,weight"
    path.write_text("\n".join([header, *rows, f"{QUIET},Quiet Inc.,50.25,0.3,1.0,0.01"]) + "\n")
    return path


class Figures:
    """The `day` frames that one client was told."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}

    def see(self, raw: bytes) -> None:
        """Take a frame."""
        if raw.startswith(b'{"op":"day"'):
            self.told |= orjson.loads(raw)["data"]


async def judge(gateway: Tickwire, stack: Stack, record: Record) -> None:
    """A newcomer's figures must be those that the record of all ticks gives."""
    figures = Figures()
    async with StreamClient(stack.http, Checker("newcomer"), seen=figures.see) as client:
        await client.connect(gateway.stream)
        assert await client.subscribe(*SYMBOLS) == {}
        await client.until(lambda: figures.told.keys() == set(SYMBOLS))
        assert client.checker.account(QUIET).snapshots == 1
        client.checker.check()
    for symbol, told in figures.told.items():
        at = (told["epoch"], told["seq"])
        await eventually(lambda s=symbol, a=at: record.last.get(s, (0, 0)) >= a)  # type: ignore[misc]
        ticks = [orjson.loads(line) for place, line in sorted(record.lines[symbol].items()) if place <= at]
        trades = [tick["price"] for tick in ticks if tick["size"]]
        assert (told["open"], told["high"], told["low"]) == (trades[0], max(trades), min(trades)), symbol
        assert told["volume"] == ticks[-1]["volume"], symbol
        assert told["session"] == "open"
        assert told["previous_close"] == CLOSES[symbol], symbol


async def test_figures_of_the_day(stack: Stack, tmp_path: Path) -> None:
    """Open, high, low and volume are those of all ticks so far; also of a quiet symbol, and after a restart."""
    async with Record(stack.broker_url) as record:
        history = await stack.start("history", {})
        await stack.producer(RATE=RATE, SEED=SEED, SYMBOLS=symbols(tmp_path))
        gateway = await stack.gateway()
        await gateway.ready()
        await history.ready()
        await eventually(lambda: all(record.last.get(s, (0, 0))[1] > 100 for s in BRISK), deadline=30)
        await judge(gateway, stack, record)

        await history.kill()
        await (await stack.start("history", {})).ready()
        await judge(await stack.gateway(), stack, record)
