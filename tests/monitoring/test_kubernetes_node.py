"""A real RabbitMQ that is told what production's nodes are told, and real processes with production's settings."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import pytest
import trustme
from aiohttp import ClientSession

from deploy.kubernetes import passwords
from services.errors import MissingRequirement
from services.runtime.settings import PREFIX, broker_addresses
from tests.brokers import LocalBroker, free_ports, local_folder
from tests.monitoring.clusters import keys, secrets_of, spec_of, url_in
from tests.monitoring.overlays import PROCESSES, every, variables
from tests.stack import Tickwire

SITE: Final = passwords.SITES["production"]
UNKNOWN_TO_3: Final = "deprecated_features."
"""Settings that only RabbitMQ 4 knows; the distribution's may be older."""
OWN: Final = {"TICKWIRE_PORT", "TICKWIRE_OPS_PORT", "TICKWIRE_BROKER_CA", "TICKWIRE_TRUSTED_PROXIES"}
"""Settings of production that are another on this machine."""


class Node(NamedTuple):
    """A node with its *port* for TLS, the Secrets that it was made with, and who vouches for it."""

    broker: LocalBroker
    port: int
    secrets: Mapping[str, Mapping[str, str]]
    authority: trustme.CA
    folder: Path


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Start a node with production's configuration, definitions and certificate."""
    server = local_folder()
    if server is None:
        raise MissingRequirement("rabbitmq-server (3.10 or later) is needed on this machine: install it")
    folder, authority, (port,) = tmp_path_factory.mktemp("node"), trustme.CA(), free_ports(1)
    secrets = secrets_of(SITE, json.loads(passwords.TEMPLATE.read_text()))
    (folder / "definitions.json").write_text(secrets["broker-definitions"]["definitions.json"])
    certify(folder, authority)
    broker = LocalBroker(server, settings=config(folder, port))
    try:
        broker.start()
        yield Node(broker, port, secrets, authority, folder)
    finally:
        broker.remove()


@pytest.mark.parametrize("host", SITE.hosts)
def test_certificate(host: str, node: Node) -> None:
    """A node proves each of the names that processes call it by, to who believes only the one authority."""
    trust = ssl.create_default_context()
    node.authority.configure_trust(trust)

    with (
        socket.create_connection(("127.0.0.1", node.port), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secured,
    ):
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


async def test_processes(node: Node) -> None:
    """The three processes get in by TLS with what their Secrets hold, become ready, and share quorum queues."""
    async with ClientSession() as http:
        started: list[Tickwire] = []
        try:
            for name in PROCESSES:  # one after another: at once they have taken 30 s on two busy cores
                started.append(await Tickwire.start(name, environment(name, node), http))  # noqa: PERF401 - to be ended
            for process in started:
                await process.ready()
                assert process.errors == [], process.tail
            queues = node.broker.ctl("list_queues", "name", "type")
        finally:
            for process in reversed(started):
                await process.kill()

    assert ["tickwire.history", "quorum"] in [line.split() for line in queues.splitlines()]


def environment(name: str, node: Node) -> dict[str, str]:
    """Return what the process *name* has in production, with this machine's ports and paths."""
    given = {key: value for key, value in variables("production", name).items() if key.startswith(PREFIX)}
    addresses = broker_addresses(url_in(node.secrets[f"{name}-credentials"]))
    here = [
        address.replace(urlsplit(address).netloc.partition("@")[2], f"127.0.0.1:{node.port}")
        for address in addresses
    ]
    own = {"BROKER_URL": ",".join(here), "BROKER_CA": str(node.folder / "ca.crt")}
    # who may come in stands in a Secret that this test has no need of
    own |= {"ANYBODY": "true"} if name == "gateway" else {}
    return {key.removeprefix(PREFIX): value for key, value in given.items() if key not in OWN} | own


def certify(folder: Path, authority: trustme.CA) -> None:
    """Write what cert-manager would: the node's certificate and key, and the authority's certificate."""
    leaf = authority.issue_cert(*every("production", "Certificate")["broker"]["spec"]["dnsNames"], "127.0.0.1")
    leaf.private_key_pem.write_to_path(folder / "tls.key")
    for part in leaf.cert_chain_pems:
        part.write_to_path(folder / "tls.crt", append=True)
    authority.cert_pem.write_to_path(folder / "ca.crt")


def config(folder: Path, port: int) -> str:
    """Return production's rabbitmq.conf as the operator would write it, with this machine's paths and ports."""
    ours = keys(spec_of("production")["rabbitmq"]["additionalConfig"]) | {
        "load_definitions": str(folder / "definitions.json"),
        "listeners.ssl.default": f"127.0.0.1:{port}",
        "ssl_options.certfile": str(folder / "tls.crt"),
        "ssl_options.keyfile": str(folder / "tls.key"),
        "disk_free_limit.absolute": "50MB",
    }
    return "".join(f"{key} = {value}\n" for key, value in ours.items() if not key.startswith(UNKNOWN_TO_3))
