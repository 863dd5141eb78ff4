"""A gateway that says every message back: `python -m tests.autobahn.echo gateway`.

All of it is the real gateway, from the listening socket over the handshake to the end of a connection.  Only what
a message *does* is replaced, and the bounds that the suite's largest messages need (16 MiB, 65,536 fragments).
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Final
from unittest.mock import patch

from gateway.wires import framing, inbound
from gateway.wires.native import connection, desk, stream
from tickwire.cli import main

MESSAGE_BYTES: Final = 32 * 1024**2
PIECES: Final = 100_000
_BINARY: Final = b"\x82"


class Echo(connection.Connection):
    """A native connection whose messages are no commands."""

    __slots__ = ()

    def _command(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self._session.write(framing.text(data.encode()))
        else:
            self._session.write(_BINARY + framing.text(data)[1:])


def roomy(_: int) -> inbound.Inbound:
    """A parser of messages as large as the suite's."""
    return inbound.Inbound(MESSAGE_BYTES)


def echo() -> int:
    """Run the gateway with these three things replaced; return its exit code."""
    with ExitStack() as replaced:
        replaced.enter_context(patch.object(stream, "Connection", Echo))
        replaced.enter_context(patch.object(connection, "Inbound", roomy))
        replaced.enter_context(patch.object(desk.Desk, "welcome", lambda *_: None))
        replaced.enter_context(patch.object(inbound, "PIECES", PIECES))
        return main()


if __name__ == "__main__":
    sys.exit(echo())
