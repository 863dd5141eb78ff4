"""A client that reads less than comes: one frame at a time, through buffers as small as they get.

The Python client cannot be one: a reader that lags is given the newest ticks by the client itself, which reads on.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tickwire.load.plan import Kind, Member, Visit
from tickwire.load.tally import Tally
from tickwire.watch import Target

BYTES_PER_S: Final = 20_000
"""That are read: about a quarter of 500 ticks per second.

At 1,000 a gateway may see no byte taken for 10 s, since the kernel asks for more only when a third of its buffer
is free; it then ends the connection (4408).
"""
BUFFER_BYTES: Final = 4_096
"""Of the socket: what the kernel takes before TCP holds the gateway back."""
QUEUE_FRAMES: Final = 1
"""That wait to be read."""
FRAME_BYTES: Final = 1_048_576
PING_S: Final = 10.0
"""Seconds between two commands of its own: the answers to the gateway's pings come as late as everything else."""
CLOSE_S: Final = 1.0
"""Seconds that the gateway has to answer our farewell, behind all that was not read."""


async def dawdle(member: Member, plan: Visit, target: Target, tally: Tally, token: str | None) -> None:
    """Follow what *plan* says, slowly, until the connection ends.

    Raises:
        OSError, TimeoutError, WebSocketException: there is no connection.
    """
    async with connect(
        target.url,
        ssl=await asyncio.to_thread(target.trust),
        subprotocols=[Subprotocol("tickwire.v1")],
        additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        compression=None,
        ping_interval=None,
        close_timeout=CLOSE_S,
        max_size=FRAME_BYTES,
        max_queue=QUEUE_FRAMES,
    ) as wire:
        _narrow(wire)
        tally.welcomed(member.number)
        talking = asyncio.create_task(_talk(wire, plan.symbols))
        try:
            while True:
                text = await wire.recv()
                _count(json.loads(text), tally)
                await asyncio.sleep(len(text) / BYTES_PER_S)
        finally:
            talking.cancel()
            tally.gone(member.number)


async def _talk(wire: ClientConnection, symbols: tuple[str, ...]) -> None:
    try:
        await wire.send(json.dumps({"op": "subscribe", "id": 1, "symbols": symbols}))
        while True:
            await asyncio.sleep(PING_S)
            await wire.send('{"op":"ping","id":2}')
    except ConnectionClosed:
        return  # the reader says why


def _narrow(wire: ClientConnection) -> None:
    # A copy of the descriptor, since uvloop's own object for the socket does not let options be set.
    with socket.socket(fileno=os.dup(wire.transport.get_extra_info("socket").fileno())) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)


def _count(frame: dict[str, Any], tally: Tally) -> None:
    if frame["op"] in ("ticks", "snapshot"):
        ticks = frame["data"]
        tally.took(Kind.SLOW, len(ticks), sum(tick.get("skipped", 0) for tick in ticks))
    elif frame["op"] == "gap":
        tally.gaps[frame["reason"]] += 1
    elif frame["op"] == "error":
        tally.complaints[frame["code"]] += 1
