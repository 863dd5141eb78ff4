"""WebSocket frames as a server writes them."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol

from gateway.wires import framing


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 200_000])
async def test_text_is_read_back(size: int) -> None:
    """A text frame of any size is what aiohttp's own reader takes it for."""
    loop = asyncio.get_running_loop()
    queue = WebSocketDataQueue(BaseProtocol(loop), 2**20, loop=loop)
    reader = WebSocketReader(queue, 0, compress=False, decode_text=True)
    reader.feed_data(framing.text(b"x" * size) + framing.PING + framing.pong(b"p"))
    message = await queue.read()
    assert (message.type, message.data) == (WSMsgType.TEXT, "x" * size)
    message = await queue.read()
    assert (message.type, message.data) == (WSMsgType.PING, b"")
    message = await queue.read()
    assert (message.type, message.data) == (WSMsgType.PONG, b"p")
