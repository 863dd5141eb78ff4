"""`examples/node`, as a stranger runs it, beside a demo that really runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from tests import nodejs
from tests.programs import Program, demo, free_port, running
from tests.proxy import Proxy

pytestmark = pytest.mark.timeout(600)

_TICK: Final = re.compile(r"^AAPL \d+\.\d+ \((\d+)-(\d+)\)$", re.MULTILINE)


@asynccontextmanager
async def script(port: int, symbol: str = "AAPL") -> AsyncIterator[Program]:
    """Run the example against the gateway on *port*."""
    folder = await nodejs.installed("node")
    command = ("node", "ticks.js", f"http://127.0.0.1:{port}", symbol)
    async with running(*command, folder=folder, environment=await nodejs.environment()) as program:
        yield program


def positions(output: str) -> list[tuple[int, int]]:
    """Return epoch and seq of each tick that was printed."""
    return [(int(epoch), int(seq)) for epoch, seq in _TICK.findall(output)]


async def test_a_kill() -> None:
    """The gateway is killed and another one starts, with an empty memory: the script says so, and goes on."""
    port = free_port()
    async with demo(PORT=port) as (gateway, _), script(port) as program:
        await program.printed("AAPL ")
        await gateway.kill()
        await program.printed("-- reconnecting")
        async with demo(PORT=port):
            assert await program.ended() == 0

    output = program.output
    epochs = [epoch for epoch, _ in positions(output)]
    assert re.findall("-- (live|reconnecting|closed)", output) == ["live", "reconnecting", "live", "closed"], (
        output
    )
    assert len(set(epochs)) == 2, output
    assert epochs == sorted(epochs), output
    assert "-- not coming: " in output
    assert "0 without a word" in output


async def test_a_broken_connection() -> None:
    """The connection breaks and the gateway lives on: each tick is printed once, in order, and none is missing."""
    async with demo() as (_, addresses):
        proxy = Proxy("127.0.0.1", int(addresses["page"].rpartition(":")[2].strip("/")))
        await proxy.accept()
        async with script(proxy.port) as program:
            await program.printed("AAPL ")
            proxy.cut()
            assert await program.ended() == 0
        await proxy.refuse()

    printed = positions(program.output)
    epoch, first = printed[0]
    assert printed == [(epoch, first + number) for number in range(len(printed))], program.output
    assert f"-- {len(printed)} ticks came, 0 are missing, 0 without a word" in program.output


async def test_no_such_symbol() -> None:
    """A symbol that is not in the directory ends the script with a sentence and code 1."""
    async with demo() as (_, addresses):
        port = int(addresses["page"].rpartition(":")[2].strip("/"))
        async with script(port, "ZZZZ") as program:
            assert await program.ended() == 1

    assert "unknown_symbol: ZZZZ" in program.output
