"""Which authority the settings ask for, and every fault of theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.admission.apikeys import KEY_BYTES, key_text, line
from gateway.admission.authorities import JwtAuthority, KeysAuthority, OpenDoor
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.choice import build_authority, warn_of_unread
from gateway.admission.entitlement import ANYBODY
from gateway.settings import GatewaySettings
from services.errors import BadSettings
from services.runtime.settings import load, variable
from tests.handclock import START_S, HandClock
from tests.issuer import AUDIENCE, ISSUER, Issuer, made_key

JWT = {"auth": "jwt", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
ADDRESS = "https://login.example.org/keys"
KEY = key_text(bytes(KEY_BYTES))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set but what a test says."""
    for field in GatewaySettings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


async def _fetch(address: str) -> bytes:
    raise AssertionError(f"{address} was fetched")


def _build(**given: Any) -> JwtAuthority | KeysAuthority | OpenDoor:
    found = build_authority(load(GatewaySettings, given), _fetch, HandClock())
    assert isinstance(found, JwtAuthority | KeysAuthority | OpenDoor)
    return found


def _faults(**given: Any) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        _build(**given)
    return caught.value.faults


@pytest.fixture(name="written")
def _written(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes a file."""

    def write(content: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return write


async def test_none() -> None:
    """On loopback anybody comes in, with the metrics of the others at zero."""
    door = _build()

    assert not door.required
    assert await door.check("whatever") == ANYBODY
    await door.run()
    assert [dict(reading.values) for reading in door.readings()] == [
        {"": 0},
        {"ok": 0, "failed": 0},
        {"": 0},
        {"": 0},
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.example.org"])  # noqa: S104
def test_none_for_everybody_must_be_meant(host: str) -> None:
    """Another interface than loopback is refused without a flag that says so, and allowed with it."""
    assert _faults(host=host) == [
        (
            f"TICKWIRE_AUTH is none, so anybody who reaches TICKWIRE_HOST {host} could come in: "
            "TICKWIRE_AUTH must be keys or jwt, TICKWIRE_HOST 127.0.0.1, or TICKWIRE_ANYBODY true"
        )
    ]
    assert isinstance(_build(host=host, anybody=True), OpenDoor)
    assert isinstance(_build(host="::1"), OpenDoor)


def test_keys(written: Callable[[bytes], Path]) -> None:
    """Who has a key of the file comes in."""
    path = written(line("desk", KEY, {"symbols": ["*"]}).encode())

    authority = _build(auth="keys", keys_file=str(path), host="0.0.0.0")  # noqa: S104

    assert authority.required
    assert asyncio.run(authority.check(KEY)).subject == "desk"
    with pytest.raises(TokenRefused) as caught:
        asyncio.run(authority.check("wrong"))
    assert caught.value.reason is Reason.MALFORMED
    assert [reading.name for reading in authority.readings()] == [
        *("keys", "keys_fetches", "keys_age_seconds", "keys_unloaded"),
    ]


@pytest.mark.parametrize("form", ["pem", "set"])
def test_jwt_with_a_file(written: Callable[[bytes], Path], form: str) -> None:
    """Who has a token signed with a key of the file comes in."""
    issuer = Issuer()
    pem = made_key("ES256", 0).as_pem()  # type: ignore[union-attr]  # no secret
    path = written(pem if form == "pem" else issuer.document())

    authority = _build(**JWT, jwt_keys=str(path))

    assert authority.required
    assert asyncio.run(authority.check(issuer.token(START_S))).subject == "u"
    assert dict(next(iter(authority.readings())).values) == {"": 1}


def test_hs256_by_configuration_only(written: Callable[[bytes], Path]) -> None:
    """A secret in the file counts where HS256 is named among the algorithms, and is no key otherwise."""
    issuer = Issuer({"hs": ("HS256", 0)})
    path = written(issuer.document())

    authority = _build(**JWT, jwt_keys=str(path), jwt_algorithms="HS256,ES256")
    assert asyncio.run(authority.check(issuer.token(START_S, "hs"))).subject == "u"
    assert _faults(**JWT, jwt_keys=str(path)) == [
        f"TICKWIRE_JWT_KEYS is {path}, but no key verifies ES256 or EdDSA or RS256"
    ]


@pytest.mark.parametrize(
    "address", [ADDRESS, "http://localhost/keys", "http://127.0.0.1:8081/keys", "http://[::1]/keys"]
)
def test_jwt_with_an_address(address: str) -> None:
    """An address by https, or by http on this machine, is accepted and not asked yet."""
    assert isinstance(_build(**JWT, jwt_keys=address), JwtAuthority)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://login.example.org/k", "TICKWIRE_JWT_KEYS is at login.example.org by http, but must be https"),
        ("http://127.0.0.1.example.org/k", "but must be https"),
        ("file:///etc/keys", "must be an address https://host/path, or the path of a file"),
        ("ftp://127.0.0.1/k", "must be an address https://host/path"),
        ("https://", "must be an address https://host/path"),
        ("https://host:99999/k", "TICKWIRE_JWT_KEYS is no address"),
        ("https://[::1/k", "TICKWIRE_JWT_KEYS is no address"),
        ("https://user:hidden@host/k", "TICKWIRE_JWT_KEYS has a user in it"),
    ],
)
def test_addresses_that_are_refused(address: str, fault: str) -> None:
    """An address that could be listened to, or is none, is refused; a password in it is not repeated."""
    faults = _faults(**JWT, jwt_keys=address)

    assert len(faults) == 1
    assert fault in faults[0]
    assert "hidden" not in faults[0]


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    """What is missing and what cannot be read are named together."""
    assert _faults(auth="keys") == [
        "TICKWIRE_KEYS_FILE is not set, but must be a path where TICKWIRE_AUTH is keys"
    ]
    assert _faults(auth="jwt") == [
        "TICKWIRE_JWT_KEYS is not set, but must be a path or an address where TICKWIRE_AUTH is jwt",
        "TICKWIRE_JWT_ISSUER is not set, but must be text where TICKWIRE_AUTH is jwt",
        "TICKWIRE_JWT_AUDIENCE is not set, but must be text where TICKWIRE_AUTH is jwt",
    ]
    gone = tmp_path / "gone"
    assert _faults(auth="jwt", jwt_keys=str(gone), jwt_issuer=ISSUER) == [
        "TICKWIRE_JWT_AUDIENCE is not set, but must be text where TICKWIRE_AUTH is jwt",
        f"TICKWIRE_JWT_KEYS is {gone}, which cannot be read: No such file or directory",
    ]


def test_files_that_are_refused(written: Callable[[bytes], Path], tmp_path: Path) -> None:
    """A file that is missing, a folder or something else is named with its variable and what is wrong with it."""
    gone = tmp_path / "gone"
    assert _faults(auth="keys", keys_file=str(gone)) == [
        f"TICKWIRE_KEYS_FILE is {gone}, which cannot be read: No such file or directory"
    ]
    assert _faults(auth="keys", keys_file=str(tmp_path)) == [
        f"TICKWIRE_KEYS_FILE is {tmp_path}, which cannot be read: Is a directory"
    ]
    path = written(b"a\nb")
    told = "after who has the key comes its hash: sha256: and 64 hexadecimal digits in lower case"
    assert _faults(auth="keys", keys_file=str(path)) == [
        f"TICKWIRE_KEYS_FILE is {path}, line 1: {told}",
        f"TICKWIRE_KEYS_FILE is {path}, line 2: {told}",
    ]
    path = written(json.dumps({"keys": [{"d": "AA"}]}).encode())
    told = "key 1 of the set is private, but a gateway must have the public one only"
    assert _faults(**JWT, jwt_keys=str(path)) == [f"TICKWIRE_JWT_KEYS is {path}, but {told}"]


def _warnings(**given: Any) -> list[tuple[str, str, str]]:
    with capture_logs() as lines:
        warn_of_unread(load(GatewaySettings, given))
    assert all(line["log_level"] == "warning" for line in lines)
    assert "xxx" not in str(lines)
    return [(line["event"], line["setting"], line["auth"]) for line in lines]


def test_settings_that_mean_nothing_are_warned_of() -> None:
    """A setting that was given but that this authority does not read is warned of, a default is not."""
    assert _warnings() == []
    assert _warnings(**JWT, jwt_keys=ADDRESS, ticket_secret="x" * 32) == []
    assert _warnings(auth="keys", keys_file="f", jwt_issuer=ISSUER, jwt_algorithms="RS256", anybody=True) == [
        ("settings.unread", name, "keys") for name in ("TICKWIRE_JWT_ALGORITHMS", "TICKWIRE_JWT_ISSUER")
    ]


def test_the_environment_counts_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the environment that is not read is warned of as well."""
    monkeypatch.setenv("TICKWIRE_KEYS_FILE", "keys.txt")
    assert _warnings() == [("settings.unread", "TICKWIRE_KEYS_FILE", "none")]


def test_what_compose_always_gives_is_no_mistake() -> None:
    """The secret of tickets, and that anybody may come in, stand in the shipped stack whatever it asks for."""
    assert _warnings(anybody=True, ticket_secret="x" * 32) == []
