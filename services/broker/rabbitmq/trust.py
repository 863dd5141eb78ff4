"""Whom to trust: the authority that the broker's certificate must lead to."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import quote, urlsplit

from services.errors import BadSettings


def trusting(setting: str, ca: Path | None) -> str:
    """Return the addresses in *setting* such that each trusts the certificates in *ca* and no other.

    Without *ca* they stay as they are, and trust what the system trusts.  An address with a `cafile` of its own
    keeps it.  The file is read again with each new connection, so it may be replaced at any time.

    Raises:
        BadSettings: *ca* cannot be read or holds no certificate, or an address does without TLS.
    """
    if ca is None:
        return setting
    _check(ca)
    addresses = [text.strip() for text in setting.split(",")]
    if any(urlsplit(address).scheme != "amqps" for address in addresses):
        raise BadSettings(["TICKWIRE_BROKER_CA is set, but an address in TICKWIRE_BROKER_URL is not amqps://"])
    return ",".join(_with_ca(address, ca) for address in addresses)


def _with_ca(address: str, ca: Path) -> str:
    query = urlsplit(address).query
    if any(part.startswith("cafile=") for part in query.split("&")):
        return address
    # A comma in the path would end the address.
    return f"{address}{'&' if query else '?'}cafile={quote(str(ca))}"


def _check(ca: Path) -> None:
    try:
        ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise BadSettings([f"TICKWIRE_BROKER_CA is {ca}, which is no PEM file with certificates"]) from error
    except OSError as error:
        raise BadSettings([f"TICKWIRE_BROKER_CA is {ca}, which cannot be read: {error.strerror}"]) from error
