"""The one-shot service that makes the stack's passwords."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest

from deploy import credentials
from services.broker import topology

_TEMPLATE = Path(credentials.__file__).parent / "rabbitmq" / "definitions.json"
_READERS = ("broker", "producer", "gateway", "history", "operator", "grafana")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the mount points, empty."""
    for reader in _READERS:
        (tmp_path / reader).mkdir()
    return tmp_path


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _users(folder: Path) -> dict[str, dict[str, Any]]:
    definitions = json.loads((folder / "broker" / "definitions.json").read_text())
    return {user["name"]: user for user in definitions["users"]}


def _addresses_of(folder: Path, process: str) -> list[SplitResult]:
    first = (folder / process / "env").read_text().splitlines()[0]
    return [urlsplit(address) for address in first.removeprefix("TICKWIRE_BROKER_URL=").split(",")]


def _password_of(folder: Path, process: str) -> str:
    (url,) = _addresses_of(folder, process)
    assert (url.scheme, url.username, url.hostname, url.port) == ("amqp", process, "rabbitmq", 5672)
    return url.password or ""


def test_every_reader_gets_its_own(folder: Path) -> None:
    """Each folder gets exactly what its one reader needs, and every password is another."""
    credentials.make(folder, _TEMPLATE)
    assert set(_files(folder)) == {
        "broker/cookie",
        "broker/definitions.json",
        "producer/env",
        "gateway/env",
        "history/env",
        "operator/password",
        "grafana/password",
    }
    passwords = [
        *(_password_of(folder, process) for process in credentials.PROCESSES),
        (folder / "operator/password").read_text(),
        (folder / "grafana/password").read_text(),
        (folder / "broker/cookie").read_text(),
    ]
    assert len(set(passwords)) == 6
    assert all(len(password) >= 43 for password in passwords)


def test_ticket_secret(folder: Path) -> None:
    """Gateways get one secret for tickets, also beside passwords that were made before; a later start keeps it."""
    (folder / "gateway/env").write_text("TICKWIRE_BROKER_URL=amqp://gateway:old@rabbitmq:5672/\n")
    credentials.make(folder, _TEMPLATE)
    made = (folder / "gateway/env").read_text()

    first, second = made.splitlines()
    assert first.endswith("//gateway:old@rabbitmq:5672/")
    name, _, secret = second.partition("=")
    assert (name, len(secret)) == ("TICKWIRE_TICKET_SECRET", 43)
    credentials.make(folder, _TEMPLATE)
    assert (folder / "gateway/env").read_text() == made
    assert not any("TICKET" in text for file, text in _files(folder).items() if file != "gateway/env")


def test_nodes_of_a_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With three nodes each process gets all of them, each kind another one first; passwords stay."""
    credentials.make(folder, _TEMPLATE)
    before = {process: _password_of(folder, process) for process in credentials.PROCESSES}
    secret = (folder / "gateway/env").read_text().splitlines()[1]
    cookie = (folder / "broker/cookie").read_text()
    monkeypatch.setenv("BROKER_NODES", "a, b,c")
    monkeypatch.setattr(credentials, "TEMPLATE", _TEMPLATE)

    assert credentials.main([], credentials=folder, data=folder) == 0

    found = {process: _addresses_of(folder, process) for process in credentials.PROCESSES}
    assert all({url.hostname for url in urls} == {"a", "b", "c"} for urls in found.values())
    assert len({urls[0].hostname for urls in found.values()}) == 3
    assert {process: {url.password for url in urls} for process, urls in found.items()} == {
        process: {password} for process, password in before.items()
    }
    assert (folder / "gateway/env").read_text().splitlines()[1:] == [secret]
    assert (folder / "broker/cookie").read_text() == cookie


def test_broker_gets_hashes(folder: Path) -> None:
    """The broker's definitions hold a salted SHA-256 of each password, the password itself nowhere."""
    credentials.make(folder, _TEMPLATE)
    given = {process: _password_of(folder, process) for process in credentials.PROCESSES}
    given["operator"] = (folder / "operator/password").read_text()
    users = _users(folder)
    assert set(users) == set(given)
    for name, password in given.items():
        raw = base64.b64decode(users[name]["password_hash"])
        assert raw[4:] == hashlib.sha256(raw[:4] + password.encode()).digest()
        assert users[name]["hashing_algorithm"] == "rabbit_password_hashing_sha256"
        assert password not in (folder / "broker" / "definitions.json").read_text()


def test_hash_of_the_manual() -> None:
    """The hash is computed as RabbitMQ's manual computes its example."""
    expected = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    assert credentials.password_hash("test12", bytes.fromhex("908DC60A")) == expected


def test_second_start_keeps_passwords(folder: Path) -> None:
    """A later start makes no new password, and adds only what is missing."""
    credentials.make(folder, _TEMPLATE)
    (folder / "grafana/password").unlink()
    first = _files(folder)
    credentials.make(folder, _TEMPLATE)
    second = _files(folder)
    kept = ("producer/env", "gateway/env", "history/env", "operator/password")
    assert {name: second[name] for name in kept} == {name: first[name] for name in kept}
    assert "grafana/password" in second


def test_only_operator_administers(folder: Path) -> None:
    """No process has a tag, so the management interface does not let one in; nobody is guest."""
    credentials.make(folder, _TEMPLATE)
    assert {name: user["tags"] for name, user in _users(folder).items()} == {
        "producer": [],
        "gateway": [],
        "history": [],
        "operator": ["administrator"],
    }


def test_unwritable_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written is named, and nothing is made."""
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != "broker")
    assert credentials.main([], credentials=folder, data=folder) == 1
    assert "broker is not writable" in capsys.readouterr().err
    assert _files(folder) == {}


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`show` prints the two logins of people, and none of a process."""
    credentials.make(folder, _TEMPLATE)
    assert credentials.main(["show"], credentials=folder) == 0
    shown = capsys.readouterr().out
    assert (folder / "operator/password").read_text() in shown
    assert (folder / "grafana/password").read_text() in shown
    assert not any(_password_of(folder, process) in shown for process in credentials.PROCESSES)


def test_unknown_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Anything but `show` is answered with the usage and exit code 2."""
    assert credentials.main(["forget"]) == 2
    assert "usage" in capsys.readouterr().err


TICKET = topology.ticket_queue("0a" * 16)


def _rights() -> dict[str, dict[str, str]]:
    return {entry["user"]: entry for entry in json.loads(_TEMPLATE.read_text())["permissions"]}


def _allowed(user: str) -> Iterator[tuple[str, str]]:
    names = (
        "tickwire.ticks",
        "tickwire.control",
        "tickwire.log",
        "tickwire.rpc",
        "tickwire.history",
        "tickwire.candles",
        "tickwire.lease",
        "tickwire.revoke",
        "tickwire.revocations",
        TICKET,
        "tickwire.ticket.x",
        "amq.gen-x",
        "amq.topic",
        "amq.default",
        "other",
    )
    for kind in ("configure", "write", "read"):
        yield from ((kind, name) for name in names if re.search(_rights()[user][kind], name))


def test_rights_of_gateway() -> None:
    """A gateway has queues of its own and tickets, reads feeds and revocations, and publishes questions only."""
    assert set(_allowed("gateway")) == {
        ("configure", "tickwire.ticks"),
        ("configure", "tickwire.control"),
        ("configure", "tickwire.rpc"),
        ("configure", "amq.gen-x"),
        ("configure", TICKET),
        ("write", "tickwire.rpc"),
        ("write", "amq.gen-x"),
        ("write", TICKET),
        ("read", "amq.gen-x"),
        ("read", "tickwire.ticks"),
        ("read", "tickwire.control"),
        ("read", "tickwire.rpc"),
        ("read", "tickwire.revocations"),
        ("read", TICKET),
    }


def test_rights_of_producer() -> None:
    """A producer declares and writes exchanges and log, asks history, and reads what binding and epochs need."""
    tickwire = (
        "tickwire.ticks",
        "tickwire.control",
        "tickwire.log",
        "tickwire.rpc",
        "tickwire.lease",
        "amq.gen-x",
    )
    assert set(_allowed("producer")) == {
        *(("configure", name) for name in tickwire),
        *(("write", name) for name in tickwire),
        ("read", "tickwire.ticks"),
        ("read", "tickwire.log"),
        ("read", "tickwire.rpc"),
        ("read", "tickwire.lease"),
        ("read", "amq.gen-x"),
    }


def test_rights_of_history() -> None:
    """History declares and reads everything of Tickwire's, and publishes answers and candles, never ticks."""
    shared = ("tickwire.log", "tickwire.rpc", "tickwire.history", "tickwire.candles", "amq.gen-x")
    written, read = (
        (*shared, "tickwire.revocations"),
        (*shared, "tickwire.ticks", "tickwire.control", "tickwire.revoke"),
    )
    declared = {*written, *read}
    assert set(_allowed("history")) == {
        *(("configure", name) for name in declared),
        *(("write", name) for name in written),
        *(("read", name) for name in read),
    }
