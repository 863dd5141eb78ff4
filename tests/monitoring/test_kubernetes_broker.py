"""RabbitMQ in deploy/kubernetes, against deploy/rabbitmq and the code; and a real node that is told what it is told."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import trustme

from deploy.credentials import OPERATOR, PROCESSES
from deploy.kubernetes import passwords
from services.broker import topology
from services.runtime.settings import broker_addresses
from tests.brokers import LocalBroker, free_ports, local_folder
from tests.monitoring.overlays import OVERLAYS, ROOT, Object, every

CONF: Final = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text()
OTHERWISE: Final = {
    "load_definitions",  # lies elsewhere
    "log.console",  # the operator's
    "log.file",  # there is none: the root is read-only
    "listeners.tcp.default",  # the operator's, as the ports below
    "management.tcp.port",
    "prometheus.tcp.port",
    "vm_memory_high_watermark.absolute",  # a share of the limit, which the operator tells the node
    "disk_free_limit.absolute",  # of a larger disk
}
"""Keys of Compose's rabbitmq.conf that are another here, or not ours."""
UNKNOWN_TO_3: Final = "deprecated_features."
"""What only RabbitMQ 4 knows of all this."""
GIB: Final = 1024**3

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def spec_of(overlay: str) -> Object:
    """Return what the one cluster of *overlay* is to be."""
    (found,) = every(overlay, "RabbitmqCluster").values()
    spec: Object = found["spec"]
    return spec


def keys(config: str) -> dict[str, str]:
    """Return the settings of a rabbitmq.conf."""
    lines = [line.partition("#")[0] for line in config.splitlines()]
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines) if value}


def secrets_of(site: passwords.Site, template: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the Secrets of a first start, decoded."""
    return {
        item["metadata"]["name"]: {key: base64.b64decode(text).decode() for key, text in item["data"].items()}
        for item in passwords.make(site, template)["items"]
    }


def url_in(secret: Mapping[str, str]) -> str:
    """Return the broker's addresses as a process's Secret has them."""
    (url,) = re.findall(r"^TICKWIRE_BROKER_URL=(.+)$", secret["env"], re.MULTILINE)
    return str(url)


@each_overlay
def test_config(overlay: str) -> None:
    """A node is told what Compose's is told, but for what the operator says and what a larger machine needs."""
    compose, here = keys(CONF), keys(spec_of(overlay)["rabbitmq"]["additionalConfig"])

    assert {key: here.get(key) for key in compose.keys() - OTHERWISE} == {
        key: value for key, value in compose.items() if key not in OTHERWISE
    }
    assert here.keys() - compose.keys() == {"vm_memory_high_watermark.relative"}
    assert OTHERWISE <= compose.keys(), "an exception of what is there no more"
    plugins = (ROOT / "deploy/rabbitmq/enabled_plugins").read_text()
    assert spec_of(overlay)["rabbitmq"]["additionalPlugins"] == re.findall(r"\w+", plugins)


@each_overlay
def test_definitions(overlay: str) -> None:
    """A node loads its definitions from the Secret that is mounted there."""
    pod = spec_of(overlay)["override"]["statefulSet"]["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    (mount,) = container["volumeMounts"]
    made = secrets_of(passwords.SITES[overlay], {})[volume["secret"]["secretName"]]

    told = keys(spec_of(overlay)["rabbitmq"]["additionalConfig"])["load_definitions"]

    assert container["name"] == "rabbitmq"
    assert mount["name"] == volume["name"]
    assert told == f"{mount['mountPath']}/{next(iter(made))}"


@each_overlay
def test_nodes(overlay: str) -> None:
    """A process is given each node's address; in production enough of them for shared queues to be quorum queues."""
    site = passwords.SITES[overlay]
    (name,) = every(overlay, "RabbitmqCluster")

    assert spec_of(overlay)["replicas"] == len(site.hosts)
    assert site.hosts == [f"{name}-server-{number}.{name}-nodes" for number in range(site.nodes)]
    assert overlay != "production" or site.nodes >= topology.CLUSTER
    for process in PROCESSES:
        addresses = broker_addresses(url_in(secrets_of(site, {})[f"{process}-credentials"]))
        assert len(addresses) == site.nodes
        assert all(address.startswith(f"{site.scheme}://{process}:") for address in addresses)


@each_overlay
def test_room(overlay: str) -> None:
    """A node's disk holds every log at its bound above what must stay free, and its memory limit is a limit."""
    logs = (topology.LOG_ARGUMENTS, topology.CANDLE_LOG_ARGUMENTS, topology.REVOCATION_LOG_ARGUMENTS)
    bound = sum(int(str(arguments["x-max-length-bytes"])) for arguments in logs)
    spec = spec_of(overlay)
    free = keys(spec["rabbitmq"]["additionalConfig"])["disk_free_limit.absolute"]

    assert int(spec["persistence"]["storage"].removesuffix("Gi")) * GIB > bound + int(free.removesuffix("GB")) * 10**9
    assert spec["resources"]["limits"]["memory"] == spec["resources"]["requests"]["memory"]


def test_passwords() -> None:
    """Each process has its own user, the broker only hashes; no two passwords are the same, and none is used twice."""
    template = json.loads(passwords.TEMPLATE.read_text())
    first, second = (secrets_of(passwords.SITES["production"], template) for _ in range(2))
    definitions = json.loads(first["broker-definitions"]["definitions.json"])
    words = [re.findall(r"//\w+:([^@]+)@", url_in(first[f"{name}-credentials"]))[0] for name in PROCESSES]
    words.append(first["operator-login"]["password"])

    assert {user["name"] for user in definitions["users"]} == {*PROCESSES, OPERATOR}
    assert {entry["user"] for entry in definitions["permissions"]} == {*PROCESSES, OPERATOR}
    assert {key: value for key, value in definitions.items() if key != "users"} == template
    assert len(set(words)) == len(words)
    assert not any(word in first["broker-definitions"]["definitions.json"] for word in words)
    assert not any(word in str(second) for word in words)
    assert len(re.findall(r"^TICKWIRE_TICKET_SECRET=.{43}$", first["gateway-credentials"]["env"], re.MULTILINE)) == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority in place of cert-manager's."""
    return trustme.CA()


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, str]]:
    """Return the Secrets of a first start."""
    return secrets_of(passwords.SITES["production"], json.loads(passwords.TEMPLATE.read_text()))


@pytest.fixture(scope="module")
def tls_port(
    authority: trustme.CA, made: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Start a node with production's configuration, definitions and certificate; return its port for TLS."""
    folder = tmp_path_factory.mktemp("node")
    (number,) = free_ports(1)
    server = local_folder()
    assert server is not None, "rabbitmq-server (3.10 or later) is needed on this machine"
    node = LocalBroker(server, settings=_config(folder, authority, made, number))
    try:
        node.start()
        yield number
    finally:
        node.remove()


@pytest.mark.parametrize("host", passwords.SITES["production"].hosts)
def test_certificate(host: str, tls_port: int, authority: trustme.CA) -> None:
    """A node proves each of the names that processes call it by, to who believes only the one authority."""
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    with (
        socket.create_connection(("127.0.0.1", tls_port), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secured,
    ):
        assert secured.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize("name", PROCESSES)
async def test_login(
    name: str, tls_port: int, authority: trustme.CA, made: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """A process gets in with the password that its Secret has, by TLS, and does what its role may."""
    raise NotImplementedError


def _config(folder: Path, authority: trustme.CA, made: Mapping[str, Mapping[str, str]], number: int) -> str:
    """Return production's rabbitmq.conf as the operator would write it, with paths and ports of this machine."""
    leaf = authority.issue_cert(*every("production", "Certificate")["broker"]["spec"]["dnsNames"], "127.0.0.1")
    leaf.private_key_pem.write_to_path(folder / "tls.key")
    for part in leaf.cert_chain_pems:
        part.write_to_path(folder / "tls.crt", append=True)
    (folder / "definitions.json").write_text(made["broker-definitions"]["definitions.json"])
    ours = keys(spec_of("production")["rabbitmq"]["additionalConfig"]) | {
        "load_definitions": str(folder / "definitions.json"),
        "listeners.ssl.default": f"127.0.0.1:{number}",
        "ssl_options.certfile": str(folder / "tls.crt"),
        "ssl_options.keyfile": str(folder / "tls.key"),
        "disk_free_limit.absolute": "50MB",
    }
    return "".join(f"{key} = {value}\n" for key, value in ours.items() if not key.startswith(UNKNOWN_TO_3))
