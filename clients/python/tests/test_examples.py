"""The examples, as a stranger runs them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from scripted import Peer, frame, gateway, snapshot, tick, ticks, welcome

EXAMPLES = Path(__file__).parents[1] / "examples"


async def _run(name: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / name), *arguments, stdout=asyncio.subprocess.PIPE
    )


async def test_print() -> None:
    """`print.py` prints one line per tick."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5, "230.10")), ticks(tick("AAPL", 6)), AAPL=None)
        await peer.gone()

    async with gateway(script) as url:
        process = await _run("print.py", url, "AAPL")
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode() for _ in range(2)]
        process.kill()
        await process.wait()

    assert lines[0].startswith("AAPL 230.10 x 5, ")
    assert lines[1].startswith("AAPL 10.50 x 5, ")


async def test_gaps() -> None:
    """`gaps.py` prints the gap and, at the end, the account."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.say(frame("gap", symbol="AAPL", epoch=7, first=6, last=8, reason="lost"))
        await peer.say(ticks(tick("AAPL", 11, skipped=2)))
        await peer.gone()

    async with gateway(script) as url:
        process = await _run("gaps.py", url, "AAPL", "1")
        output, _ = await process.communicate()

    text = output.decode()
    assert process.returncode == 0
    assert "Gap(symbol='AAPL', epoch=7, first=6, last=8, reason='lost')" in text
    assert "2 ticks before Position(epoch=7, seq=11) were left out" in text
    assert "Account(delivered=2, skipped=2, missing=Counter({'lost': 3})" in text
