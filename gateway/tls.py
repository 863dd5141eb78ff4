"""TLS for clients, with a certificate that follows its files."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from services.errors import BadSettings

HANDSHAKE_S: Final = 5.0
"""Seconds that a client has for its TLS handshake; loops allow 60."""
SHUTDOWN_S: Final = 2.0
"""Seconds that a client has to answer the end of TLS; loops allow 30."""
LOOK_S: Final = 1.0
"""Seconds between two looks at the certificate's files; what changed is read once it stood still for one."""

_log = structlog.get_logger("tickwire.gateway")
_FileState = tuple[int, ...] | None


class Renewal(StrEnum):
    """What became of a change of the certificate's files: a metric label."""

    OK = "ok"
    FAILED = "failed"
    """They cannot be read or do not belong together: the certificate before is served on."""


def certificate(cert: Path | None, key: Path | None) -> Certificate | None:
    """Return the certificate of the files *cert* and *key*; None where neither is given.  Reads the disk.

    Raises:
        BadSettings: only one of them is given, a file cannot be read, or they do not belong together.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        lacking = "TICKWIRE_TLS_CERT" if cert is None else "TICKWIRE_TLS_KEY"
        raise BadSettings([f"{lacking} is not set, but TICKWIRE_TLS_CERT and TICKWIRE_TLS_KEY go together"])
    return Certificate(cert, key)


class Certificate:
    """The certificate that clients are served with.

    Each version of the files gets a context of its own, for those who come after it: a pair that does not belong
    together never replaces half of a good one, and nobody's connection is touched.

    Attributes:
        context: what the next newcomer is served with: TLS 1.2 or later.
        not_after: until when its certificate is valid, seconds since 1970.
        renewals: changes of the files since the start, by what became of them.

    Raises:
        BadSettings: as `certificate`.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self._cert, self._key = cert, key
        self._tried = self._seen = self._state()
        self.context, self.not_after = _load(cert, key)
        self.renewals: Counter[Renewal] = Counter(dict.fromkeys(Renewal, 0))

    async def watch(self) -> None:
        """Follow the files until cancelled: newcomers are served with what stands in them within 3 s."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Read the files if they changed, and have stood still since the last look.  Reads the disk."""
        state = self._state()
        still, self._seen = state == self._seen, state
        if not still or state == self._tried:
            return
        self._tried = state
        try:
            self.context, self.not_after = _load(self._cert, self._key)
        except BadSettings as error:
            self.renewals[Renewal.FAILED] += 1
            _log.warning("gateway.certificate_kept", error=str(error), not_after=self.not_after)
        else:
            self.renewals[Renewal.OK] += 1
            _log.info("gateway.certificate_renewed", not_after=self.not_after)

    def _state(self) -> tuple[_FileState, _FileState]:
        return _file_state(self._cert), _file_state(self._key)


def _file_state(path: Path) -> _FileState:
    try:
        found = path.stat()  # of what a link leads to: Kubernetes swaps the link of the whole folder
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _load(cert: Path, key: Path) -> tuple[ssl.SSLContext, float]:
    for variable, path in (("TICKWIRE_TLS_CERT", cert), ("TICKWIRE_TLS_KEY", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise BadSettings([f"{variable} is {path}, which cannot be read: {error.strerror}"]) from error
    context = _context()
    try:
        context.load_cert_chain(cert, key, password=_no_password)
        not_after = _not_after(cert.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or "they are no PEM files, or the key needs a password"
        raise BadSettings(
            [f"TICKWIRE_TLS_CERT {cert} and TICKWIRE_TLS_KEY {key} are no certificate and its key: {reason}"]
        ) from error
    return context, not_after


def _not_after(chain: bytes) -> float:
    from cryptography import x509  # noqa: PLC0415 - 14 MB that a gateway without TLS does not need

    return x509.load_pem_x509_certificates(chain)[0].not_valid_after_utc.timestamp()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A session ticket is another record and write per handshake, for clients that seldom come back.
    context.num_tickets = 0
    return context


def _no_password() -> str:
    """Otherwise OpenSSL asks the terminal for one."""
    return ""
