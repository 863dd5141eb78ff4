"""Which authority the settings ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import structlog

from gateway.admission.apikeys import FILE_BYTES, BadApiKeys, parse_api_keys
from gateway.admission.authorities import Gatekeeper, JwtAuthority, KeysAuthority, KeySource, OpenDoor
from gateway.admission.jwks import FetchedKeys
from gateway.admission.keyfile import KeyFile
from gateway.admission.keyset import DOCUMENT_BYTES, parse_keys
from gateway.admission.loopback import is_loopback
from gateway.admission.tokens import Policy
from gateway.admission.watchedfile import WatchedFile
from gateway.settings import GatewaySettings
from services.errors import BadInput, BadSettings
from services.runtime.clock import Clock
from services.runtime.settings import variable

FetchFrom = Callable[[str], Awaitable[bytes]]
"""Returns the document at an address; raises KeysUnavailable where it does not come, within some seconds."""

T = TypeVar("T")

_READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "keys": ("keys_file",),
    "jwt": ("jwt_keys", "jwt_issuer", "jwt_audience", "jwt_algorithms", "jwt_leeway_s", "jwt_life_s"),
}
"""Settings that mean something for one `TICKWIRE_AUTH` only; the ones that Compose always gives are none."""
_log = structlog.get_logger("tickwire.admission")


def build_authority(settings: GatewaySettings, fetch: FetchFrom, clock: Clock) -> Gatekeeper:
    """Return the authority that *settings* ask for.  Reads files (blocks), but no address, and logs nothing.

    Raises:
        BadSettings: with every fault.
    """
    faults = list(_faults(settings))
    found = None
    try:
        found = _built(settings, fetch, clock)
    except BadSettings as error:
        faults += error.faults
    if found is None or faults:
        raise BadSettings(faults)
    return found


def warn_of_unread(settings: GatewaySettings) -> None:
    """Log each setting about authorities that is given but means nothing for the one that is asked for."""
    fields = {name for names in _READ_BY.values() for name in names} - set(_READ_BY[settings.auth])
    for name in sorted(fields & settings.model_fields_set):
        _log.warning("settings.unread", setting=variable(name), auth=settings.auth)


def _faults(settings: GatewaySettings) -> Iterator[str]:
    """Yield what is wrong with *settings* before any file is read."""
    if settings.auth == "none" and not settings.anybody and not is_loopback(settings.host):
        yield (
            f"TICKWIRE_AUTH is none, so anybody who reaches TICKWIRE_HOST {settings.host} could come in: "
            "TICKWIRE_AUTH must be keys or jwt, TICKWIRE_HOST 127.0.0.1, or TICKWIRE_ANYBODY true"
        )
    if settings.auth == "keys" and settings.keys_file is None:
        yield "TICKWIRE_KEYS_FILE is not set, but must be a path where TICKWIRE_AUTH is keys"
    if settings.auth == "jwt":
        for name, what in (("jwt_keys", "a path or an address"), ("jwt_issuer", "text"), ("jwt_audience", "text")):
            if not getattr(settings, name):
                yield f"{variable(name)} is not set, but must be {what} where TICKWIRE_AUTH is jwt"
        yield from _address_faults(settings.jwt_keys or "")


def _address_faults(place: str) -> Iterator[str]:
    if "://" not in place:
        return
    try:
        parts = urlsplit(place)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        yield "TICKWIRE_JWT_KEYS is no address: it must be https://host/path, or the path of a file"
        return
    if parts.scheme not in ("https", "http") or not host:
        yield "TICKWIRE_JWT_KEYS must be an address https://host/path, or the path of a file"
    elif parts.scheme == "http" and not is_loopback(host):
        yield f"TICKWIRE_JWT_KEYS is at {host} by http, but must be https: http is for this machine only"
    if "@" in parts.netloc:
        yield "TICKWIRE_JWT_KEYS has a user in it, but public keys need none"


def _built(settings: GatewaySettings, fetch: FetchFrom, clock: Clock) -> Gatekeeper | None:
    """Return the authority; None: the setting that says where its keys are is missing."""
    if settings.auth == "none":
        return OpenDoor()
    if settings.auth == "keys":
        path = settings.keys_file
        file = None if path is None else _watched("keys_file", path, parse_api_keys, FILE_BYTES)
        return None if file is None else KeysAuthority(file, clock)
    place = settings.jwt_keys
    source = None if place is None else _source(place, settings.jwt_algorithms, fetch, clock)
    return None if source is None else JwtAuthority(source, _policy(settings), clock)


def _source(place: str, algorithms: Sequence[str], fetch: FetchFrom, clock: Clock) -> KeySource:
    if "://" in place:
        return FetchedKeys(partial(fetch, place), algorithms, clock)
    parse = partial(parse_keys, algorithms=algorithms)
    return KeyFile(_watched("jwt_keys", Path(place), parse, DOCUMENT_BYTES))


def _policy(settings: GatewaySettings) -> Policy:
    return Policy(
        algorithms=settings.jwt_algorithms,
        issuer=settings.jwt_issuer or "",
        audience=settings.jwt_audience or "",
        leeway_s=settings.jwt_leeway_s,
        life_s=settings.jwt_life_s,
    )


def _watched(name: str, path: Path, parse: Callable[[bytes], T], most_bytes: int) -> WatchedFile[T]:
    begin = f"{variable(name)} is {path}, "
    try:
        return WatchedFile(path, parse, most_bytes=most_bytes)
    except OSError as error:
        raise BadSettings([f"{begin}which cannot be read: {error.strerror}"]) from error
    except BadApiKeys as error:
        raise BadSettings([f"{begin}{fault}" for fault in error.faults]) from error
    except BadInput as error:
        raise BadSettings([f"{begin}but {error}"]) from error
