"""RabbitMQ in deploy/kubernetes, and the Secrets of a first start, against deploy/rabbitmq and the code."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from deploy.credentials import OPERATOR, PROCESSES
from deploy.kubernetes import passwords
from services.broker import topology
from services.runtime.settings import broker_addresses
from tests.monitoring.clusters import keys, secrets_of, spec_of, url_in
from tests.monitoring.overlays import OVERLAYS, ROOT, every

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
GIB: Final = 1024**3

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@each_overlay
def test_config(overlay: str) -> None:
    """A node is told what Compose's is told, but for what the operator says and what a larger machine needs."""
    compose, here = keys(CONF), keys(spec_of(overlay)["rabbitmq"]["additionalConfig"])

    assert {key: here.get(key) for key in compose.keys() - OTHERWISE} == {
        key: value for key, value in compose.items() if key not in OTHERWISE
    }
    assert here.keys() - compose.keys() == {"vm_memory_high_watermark.relative"}
    assert compose.keys() >= OTHERWISE, "an exception of what is there no more"
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
    """A process dials the Service, then each node of several; in production enough of them for quorum queues."""
    site = passwords.SITES[overlay]
    (name,) = every(overlay, "RabbitmqCluster")
    each = [f"{name}-server-{number}.{name}-nodes" for number in range(site.nodes)]

    assert spec_of(overlay)["replicas"] == site.nodes
    assert site.hosts == [name, *(each if site.nodes > 1 else ())]
    assert (len(site.hosts) >= topology.CLUSTER) is (site.nodes > 1)
    for process in PROCESSES:
        addresses = broker_addresses(url_in(secrets_of(site, {})[f"{process}-credentials"]))
        assert len(addresses) == len(site.hosts)
        assert all(address.startswith(f"{site.scheme}://{process}:") for address in addresses)


@each_overlay
def test_room(overlay: str) -> None:
    """A node's disk holds every log at its bound above what must stay free, and its memory limit is a limit."""
    logs = (topology.LOG_ARGUMENTS, topology.CANDLE_LOG_ARGUMENTS, topology.REVOCATION_LOG_ARGUMENTS)
    bound = sum(int(str(arguments["x-max-length-bytes"])) for arguments in logs)
    spec = spec_of(overlay)
    free = keys(spec["rabbitmq"]["additionalConfig"])["disk_free_limit.absolute"]

    assert (
        int(spec["persistence"]["storage"].removesuffix("Gi")) * GIB > bound + int(free.removesuffix("GB")) * 10**9
    )
    assert spec["resources"]["limits"]["memory"] == spec["resources"]["requests"]["memory"]


def test_passwords() -> None:
    """Each process has its own user and the broker only hashes; no password is used twice."""
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
    assert (
        len(re.findall(r"^TICKWIRE_TICKET_SECRET=.{43}$", first["gateway-credentials"]["env"], re.MULTILINE)) == 1
    )
