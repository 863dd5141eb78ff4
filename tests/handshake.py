"""A TLS handshake in memory, between a client's context and a server's."""

from __future__ import annotations

import ssl
from contextlib import suppress


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str = "localhost") -> bool:
    """Whether *client* accepts who *server* is, asked for as *name*."""
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    caller = client.wrap_bio(client_in, client_out, server_hostname=name)
    callee = server.wrap_bio(server_in, server_out, server_side=True)
    for _ in range(3):
        for side, out, other in ((caller, client_out, server_in), (callee, server_out, client_in)):
            try:
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
            except ssl.SSLCertVerificationError:
                return False
            other.write(out.read())
    return caller.version() is not None
