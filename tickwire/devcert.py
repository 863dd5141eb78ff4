"""`tickwire dev-cert`: a certificate for trying TLS on this machine, from an authority that nobody else has.

The authority signs once and its key is never written: what trusts `ca.pem` trusts these names until the
certificate ends, and nothing more, whoever reads the folder.  A new run makes a new authority.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme

from services.errors import BadInput

DAYS: Final = 30
"""Days that a certificate is valid: longer than anybody tries something, shorter than it is forgotten."""
ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
"""Names that every certificate has."""
FILES: Final = ("ca.pem", "cert.pem", "key.pem")

_NAME: Final = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST: Final = 253


def make_certificate(folder: Path, names: Iterable[str], *, force: bool, now: datetime | None = None) -> str:
    """Write `ca.pem`, `cert.pem` and `key.pem` for *names* and `ALWAYS` to *folder*; return how to use them.

    Raises:
        BadInput: a name is neither a host's nor an address; a file is there and not to be replaced (*force*); or
            the folder cannot be written.
    """
    wanted = tuple(dict.fromkeys((*ALWAYS, *map(_checked, names))))
    _refuse_present(folder, force=force)
    begin = now or datetime.now(UTC)
    authority = trustme.CA(organization_name="Tickwire development", organization_unit_name="no key of it is kept")
    issued = authority.issue_cert(
        *wanted,
        common_name=wanted[0],
        not_before=begin - timedelta(hours=1),
        not_after=begin + timedelta(days=DAYS),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "ca.pem", authority.cert_pem.bytes(), 0o644)
        _write(folder / "key.pem", issued.private_key_pem.bytes(), 0o600)
        _write(folder / "cert.pem", b"".join(blob.bytes() for blob in issued.cert_chain_pems), 0o644)
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}") from error
    return _usage(folder.absolute(), wanted)


def _checked(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        lower = name.lower()
        if len(lower) > _LONGEST or _NAME.fullmatch(lower) is None:
            raise BadInput(
                f"{name[:_QUOTED]!r} is no name for a certificate; a host such as ticker.test or *.ticker.test, "
                "or an address, is one"
            ) from None
        return lower


def _refuse_present(folder: Path, *, force: bool) -> None:
    present = [name for name in FILES if (folder / name).exists()]
    if present and not force:
        raise BadInput(
            f"{folder} has {' and '.join(present)} already; --force replaces them, --out takes another folder"
        )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace *path* in one step: a gateway that watches it never reads half a file, nor anybody else a key."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.write(content)
    beside.replace(path)


def _usage(folder: Path, names: Sequence[str]) -> str:
    ca, cert, key = (shlex.quote(str(folder / name)) for name in FILES)
    return (
        f"# a certificate for {', '.join(names)}, valid for {DAYS} days\n"
        f"export TICKWIRE_TLS_CERT={cert}\n"
        f"export TICKWIRE_TLS_KEY={key}\n"
        f"# then: tickwire watch AAPL --url wss://localhost:8080/v1/stream --ca {ca}\n"
        f"# a browser trusts the page once {ca} is imported as an authority\n"
    )


_QUOTED: Final = 60
