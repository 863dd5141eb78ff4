"""TLS for clients."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from services.errors import BadSettings

HANDSHAKE_S: Final = 5.0
"""Seconds that a client has for its TLS handshake; loops allow 60."""
SHUTDOWN_S: Final = 2.0
"""Seconds that a client has to answer the end of TLS; loops allow 30."""


def server_context(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the context that serves *cert* with *key*, TLS 1.2 or later; None where neither is given.

    Raises:
        BadSettings: only one of them is given, a file cannot be read, or they do not belong together.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        lacking = "TICKWIRE_TLS_CERT" if cert is None else "TICKWIRE_TLS_KEY"
        raise BadSettings([f"{lacking} is not set, but TICKWIRE_TLS_CERT and TICKWIRE_TLS_KEY go together"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A session ticket is another record and write per handshake, for clients that seldom come back.
    context.num_tickets = 0
    for variable, path in (("TICKWIRE_TLS_CERT", cert), ("TICKWIRE_TLS_KEY", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise BadSettings([f"{variable} is {path}, which cannot be read: {error.strerror}"]) from error
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        reason = error.reason or "it is no PEM file"
        raise BadSettings(
            [f"TICKWIRE_TLS_CERT {cert} and TICKWIRE_TLS_KEY {key} are no certificate and its key: {reason}"]
        ) from error
    return context
