"""A process in trouble of its own: its loop stalls (F29), or it runs out of file descriptors (F30)."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from contextlib import ExitStack
from http import HTTPStatus
from itertools import count, islice
from pathlib import Path
from typing import Final

import pytest
from aiohttp import ClientSession

from tests.faults.figures import Figures
from tests.faults.market import Market
from tests.stack import Stack, Tickwire

STALL_S: Final = 2.0
FLOW_S: Final = 5.0
SPARE: Final = 20
"""File descriptors that are left to the gateway; 16 of them are not for clients."""
KNOCKS: Final = 40
BUSY_S: Final = 4.0
ACCEPTED_S: Final = 5.0
"""After there are files again: an attempt is made every second."""

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("kind", ["gateway", pytest.param("producer", marks=pytest.mark.slow)])
async def test_stalled_loop(kind: str, stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """A stall of 2 s costs neither a connection nor a tick: all come late, or are told (F29)."""
    fault = f"F29 {kind} stalls {STALL_S:g} s"
    async with Market(stack, tmp_path, conflates=True) as market:
        stalled = market.producer if kind == "producer" else market.gateways[0]
        stalled.freeze()
        await asyncio.sleep(STALL_S)  # the length of the fault
        stalled.thaw()
        figures.within(fault, "every symbol flows after it", await market.flowing(), FLOW_S)
        assert await stalled.probe("/livez") == (200, "alive")
        role = "publish" if kind == "producer" else "consume"
        lost = {
            labels: value
            for (name, labels), value in (await stalled.metrics()).items()
            if name == "tickwire_broker_reconnects_total" and ("role", role) in labels and value
        }
        assert not lost
        outcome = await market.settle()
        figures.told(fault, "ticks told missing", sum(outcome.missing.values()))
        figures.told(fault, "ticks told skipped", outcome.conflated)
        assert not outcome.open


def leave_files(process: Tickwire, spare: int) -> tuple[int, int]:
    """Let *process* open *spare* more files than it has; return its limits before."""
    # The limit is one of numbers, and there are free numbers between those in use.
    taken = {int(entry.name) for entry in Path(f"/proc/{process.pid}/fd").iterdir()}
    free = (number for number in count() if number not in taken)
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (next(islice(free, spare, None)), before[1]))
    return before


async def supervisors_probe(process: Tickwire) -> int:
    """Return the status of /livez, asked over a connection of its own."""
    url = f"http://127.0.0.1:{process.ops_port}/livez"
    async with ClientSession() as http, http.get(url) as answer:
        return answer.status


async def cpu_share(process: Tickwire, seconds: float) -> float:
    """Return which share of a core *process* uses in *seconds*."""
    began, used = time.monotonic(), process.cpu_s()
    await asyncio.sleep(seconds)  # what is measured
    return (process.cpu_s() - used) / (time.monotonic() - began)


@pytest.mark.slow
async def test_files_exhausted(stack: Stack, tmp_path: Path, figures: Figures) -> None:
    """Without a file descriptor newcomers wait, those who are there go on, no core is burnt, and it ends (F30)."""
    fault = "F30 files exhausted"
    async with Market(stack, tmp_path, gateways=({},)) as market:
        (gateway,) = market.gateways
        gateway.excused.add("gateway.out_of_files")
        await gateway.metrics()
        usual = await cpu_share(gateway, BUSY_S)
        before = leave_files(gateway, SPARE)
        with ExitStack() as knocking:
            for _ in range(KNOCKS):
                knocking.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            await gateway.logged("gateway.out_of_files")
            assert await supervisors_probe(gateway) == HTTPStatus.OK
            figures.within(fault, "every symbol flows meanwhile", await market.flowing(), FLOW_S)
            burnt = await cpu_share(gateway, BUSY_S)
            figures.told(fault, "share of a core before", usual)
            figures.within(fault, "share of a core meanwhile", burnt, 1.5 * usual + 0.1, "")
            resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, before)
            began = time.monotonic()
            new = await market.join(gateway, 2)
            await market.flowing(new)
            figures.within(fault, "a newcomer has ticks after it", time.monotonic() - began, ACCEPTED_S)
        assert await gateway.metric("tickwire_accept_exhausted_total") >= 1
        outcome = await market.settle()
        assert (outcome.missing, outcome.open, outcome.conflated) == ({}, {}, 0)
