"""docker-compose.yml and the Caddyfile as they stand: what a container may do, and who can reach what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.settings import GatewaySettings
from producer.settings import ProducerSettings
from services.broker.topology import CLUSTER
from services.history.settings import HistorySettings
from services.runtime.settings import PREFIX, CommonSettings, load
from tickwire.canary.settings import CanarySettings

_ROOT: Final = Path(__file__).parents[3]
_COMPOSE: Final = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = _COMPOSE["services"]
CADDYFILE: Final = (_ROOT / "deploy/caddy/Caddyfile").read_text()
OWN_USER: Final = {"grafana"}
"""Whose public image names a user that is not root; the e2e tests look at the container."""
ADDED: Final = {"caddy": ["NET_BIND_SERVICE"]}
"""Capabilities that are given back: Caddy's binary does not start without it."""
PROCESSES: Final[dict[str, type[CommonSettings]]] = {
    "canary": CanarySettings,
    "gateway-1": GatewaySettings,
    "gateway-2": GatewaySettings,
    "producer": ProducerSettings,
    "producer-standby": ProducerSettings,
    "history-1": HistorySettings,
    "history-2": HistorySettings,
}
_NOT_SETTINGS: Final = {"CREDENTIALS_FILE"}


@pytest.mark.parametrize("name", SERVICES)
def test_hardened(name: str) -> None:
    """No service writes to its own file system, keeps a capability or gains a privilege."""
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == ADDED.get(name, [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert {"host", "service"}.isdisjoint({service.get("network_mode"), service.get("pid"), service.get("ipc")})
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_not_root(name: str) -> None:
    """No service runs as root: it names another user, or its image does."""
    service = SERVICES[name]

    if "build" in service:
        last = re.findall(r"^USER (.+)$", (_ROOT / service["build"]["dockerfile"]).read_text(), re.MULTILINE)[-1]
        assert last == "10001:10001"
        assert "user" not in service
    elif name not in OWN_USER:
        assert service["user"].split(":")[0] not in ("", "0", "root")


def test_published_ports() -> None:
    """Only the proxy is published where TICKWIRE_BIND says, what people administer on loopback, nothing else."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert set(published) == {"rabbitmq", "caddy", "prometheus", "grafana", "alertmanager"}
    for name in set(published) - {"caddy"}:
        assert all(port.startswith("127.0.0.1:") for port in published[name]), name
    assert all(port.startswith("${TICKWIRE_BIND:-127.0.0.1}:") for port in published["caddy"])
    assert {port.rsplit(":", 1)[1] for port in published["caddy"]} == {"8443", "8080"}


def test_networks() -> None:
    """The broker's network leads nowhere, the proxy is not in it, and nobody but gateways is in the proxy's.

    The stack's own clients reach the proxy and nothing else.
    """
    members = {
        network: {name for name, service in SERVICES.items() if network in service.get("networks", ())}
        for network in _COMPOSE["networks"]
    }

    assert _COMPOSE["networks"]["broker"]["internal"] is True
    assert "caddy" not in members["broker"]
    assert members["edge"] == {"caddy", "gateway-1", "gateway-2"}
    assert members["visitors"] == {"caddy", "canary", "load", "prometheus"}
    assert _COMPOSE["networks"]["visitors"]["internal"] is True
    assert all(SERVICES[name]["networks"] == ["visitors"] for name in ("canary", "load"))


@pytest.mark.parametrize("name", PROCESSES)
def test_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process is given, with nothing set by the caller, are settings of its own that it starts with."""
    process = PROCESSES[name]
    for field in process.model_fields:
        monkeypatch.delenv(PREFIX + field.upper(), raising=False)
    given = {key: _default(value) for key, value in SERVICES[name]["environment"].items()}
    fields = {key.removeprefix(PREFIX).lower(): value for key, value in given.items() if key not in _NOT_SETTINGS}

    loaded = load(process, {field: value for field, value in fields.items() if value})

    assert fields.keys() <= process.model_fields.keys()
    assert loaded.ops_host == "0.0.0.0"  # noqa: S104 - no port of the container is published


def test_who_may_come_in() -> None:
    """Gateways of the stack serve anybody only because that is said, and believe only the proxy's network."""
    environment = SERVICES["gateway-1"]["environment"]
    subnet = _COMPOSE["networks"]["edge"]["ipam"]["config"][0]["subnet"]

    assert environment["TICKWIRE_ANYBODY"] == "true"
    assert environment["TICKWIRE_TRUSTED_PROXIES"] == subnet
    for field in ("auth", "keys_file", "jwt_keys", "jwt_issuer", "jwt_audience", "jwt_algorithms", "origins"):
        variable = PREFIX + field.upper()
        assert environment[variable] == f"${{{variable}:-}}", "passed on as the caller has it"
    assert not any("SECRET" in key or "PASSWORD" in key for key in environment)


def test_proxy() -> None:
    """The proxy forwards to the public port only, keeps no log of accesses, and leaves tokens out of its own."""
    (upstreams,) = re.findall(r"reverse_proxy (.+) \{", CADDYFILE)
    site = CADDYFILE.partition("{$TICKWIRE_SITE:localhost}, caddy {")[2]

    assert upstreams.split() == ["gateway-1:8080", "gateway-2:8080"]
    assert re.search(r"^\s*log\b", site, re.MULTILINE) is None
    for secret in ("request>headers>Authorization delete", "request>headers>Sec-Websocket-Protocol delete"):
        assert secret in CADDYFILE
    assert "replace ticket REDACTED" in CADDYFILE
    assert "header @named ?Strict-Transport-Security max-age=31536000" in site


def test_profiles() -> None:
    """Only what somebody asks for by profile is left out of `docker compose up`."""
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}

    assert profiles == {"alertmanager": ["alerts"], "load": ["load"]}


def test_keys_of_the_authority() -> None:
    """Whoever mounts the folder with the authority's key is Caddy, or has no network."""
    holders = {name for name, service in SERVICES.items() if "caddy-data" in _sources(service)}

    assert holders == {"caddy", "credentials", "authority"}
    assert all(SERVICES[name]["network_mode"] == "none" for name in holders - {"caddy"})


def test_many_addresses() -> None:
    """The simulated clients of one container are fewer than a gateway lets in of one address."""
    (clients,) = [word for word in SERVICES["load"]["command"] if word.startswith("--clients=")]
    most = GatewaySettings.model_fields["max_per_address"].default

    assert int(_default(clients).removeprefix("--clients=")) < most
    assert not any(
        "TICKWIRE_MAX_PER_ADDRESS" in SERVICES[name]["environment"] for name in ("gateway-1", "gateway-2")
    )


def test_cluster() -> None:
    """Three nodes find each other, each has its own volume, and every process is told of and waits for all."""
    text = (_ROOT / "docker-compose.cluster.yml").read_text().replace("!reset ", "")
    services = yaml.safe_load(text)["services"]
    nodes = services["credentials"]["environment"]["BROKER_NODES"].split(",")
    configuration = (_ROOT / "deploy/rabbitmq/cluster.conf").read_text()
    peers = re.findall(
        r"^cluster_formation\.classic_config\.nodes\.\d = rabbit@(.+)$", configuration, re.MULTILINE
    )
    targets = yaml.safe_load((_ROOT / "deploy/prometheus/brokers.cluster.yml").read_text())[0]["targets"]

    assert len(nodes) == CLUSTER
    assert peers == nodes
    assert "cluster_partition_handling = pause_minority" in configuration
    assert [target.partition(":")[0] for target in targets] == nodes
    assert [services[node].get("hostname", node) for node in nodes] == nodes
    assert len({_sources(services[node])[-1] for node in nodes}) == len(nodes), "a volume for each"
    for process in set(PROCESSES) - {"canary"}:
        assert list(services[process]["depends_on"]) == nodes


def _sources(service: dict[str, Any]) -> list[str]:
    volumes = service.get("volumes", ())
    return [volume["source"] if isinstance(volume, dict) else volume.partition(":")[0] for volume in volumes]


def _default(value: str) -> str:
    """Return what Compose makes of *value* where nothing is set."""
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda found: found[1] or "", str(value))
