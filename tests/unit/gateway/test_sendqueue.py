"""What the kernel keeps until it is acknowledged."""

from __future__ import annotations

import asyncio
import socket

from gateway.sendqueue import queued
from tests.eventually import eventually


class _Transport(asyncio.Transport):
    def __init__(self, connection: object) -> None:
        super().__init__({"socket": connection})


async def test_what_nobody_reads_is_queued_until_it_is_read() -> None:
    """Bytes that do not fit into the other end's window are counted, and no longer once they were read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with theirs, ours:
        ours.setblocking(False)
        theirs.setblocking(False)
        transport = _Transport(ours)
        assert queued(transport) == 0
        sent = 0
        try:
            while True:
                sent += ours.send(bytes(65_536))
        except BlockingIOError:
            pass
        assert 0 < queued(transport) < sent

        def read() -> bool:
            try:
                while theirs.recv(1 << 20):
                    pass
            except BlockingIOError:
                return queued(transport) == 0
            return False

        await eventually(read)


def test_a_transport_without_a_socket_has_nothing_queued() -> None:
    """Where there is no socket, or it is closed, there is nothing."""
    assert queued(_Transport(None)) == 0
    closed = socket.socket()
    closed.close()
    assert queued(_Transport(closed)) == 0
