"""The processes in deploy/kubernetes against the code: commands, settings, ports, probes, grace, room."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

import gateway.app
from deploy.kubernetes import passwords
from gateway.admission.address import parse_networks
from gateway.admission.choice import build_authority
from gateway.settings import GatewaySettings
from producer.sources import universe
from services.errors import BadSettings
from services.history.settings import HistorySettings
from services.runtime.clock import SystemClock
from services.runtime.settings import variable
from services.telemetry.operations import Probe, _application
from tests.monitoring.overlays import (
    KUBERNETES,
    NOT_SETTINGS,
    OVERLAYS,
    PROCESSES,
    ROOT,
    SETTINGS,
    container,
    every,
    mounts,
    pod,
    port,
    settings,
    variables,
)
from tickwire import watch
from tickwire.canary.target import stream_address, symbols_named
from tickwire.cli import _parser

NAMES: Final = tuple(SETTINGS)
END_S: Final = 5
"""Seconds after its drain in which a process has ended, as `gateway.app.run` promises."""
SPARE_S: Final = {"gateway": 10, "producer": 5, "history": 5}
MIB: Final = 1024**2

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_process = pytest.mark.parametrize("name", PROCESSES)
each_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what somebody set for himself out of the environment."""
    for process in SETTINGS.values():
        for field in process.model_fields:
            monkeypatch.delenv(variable(field), raising=False)


@each_overlay
def test_processes(overlay: str) -> None:
    """An overlay has all four processes and nothing else of ours, and carries no Secret."""
    assert set(every(overlay, "Deployment")) == set(NAMES)
    assert not every(overlay, "Secret")


@each_overlay
@each_name
def test_commands(overlay: str, name: str) -> None:
    """A container runs the command of its name, with flags that the command knows."""
    arguments = container(overlay, name)["args"]

    parsed = _parser().parse_args(arguments)

    assert arguments[0] == name
    assert "command" not in container(overlay, name), "the image's entrypoint reads the credentials"
    assert name != "producer" or parsed.standby


@each_overlay
@each_name
def test_settings(overlay: str, name: str) -> None:
    """Each variable of a process is a setting of it, with a value that it takes."""
    given = set(variables(overlay, name)) - NOT_SETTINGS

    assert given <= {variable(field) for field in SETTINGS[name].model_fields}
    assert settings(overlay, name).ops_host == "0.0.0.0"  # noqa: S104 - what may reach it, a policy says


def test_readme() -> None:
    """Every setting that the README names is one of a process's."""
    named = set(re.findall(r"TICKWIRE_[A-Z_]+", (KUBERNETES / "README.md").read_text()))

    assert named <= {variable(field) for process in SETTINGS.values() for field in process.model_fields}
    assert "TICKWIRE_AUTH" in named


@each_overlay
def test_canary(overlay: str) -> None:
    """The canary is pointed at the address that clients use, and at symbols that there are."""
    parsed = _parser().parse_args(container(overlay, "canary")["args"])
    target = urlsplit(stream_address(parsed.url))

    assert parsed.url.endswith(urlsplit(watch.URL).path)
    assert set(symbols_named(parsed.symbols)) <= {listing.symbol for listing in universe.load(None)}
    if overlay == "production":
        (rule,) = every(overlay, "Ingress")["gateway"]["spec"]["rules"]
        assert (target.scheme, target.hostname) == ("wss", rule["host"])
    else:
        service = every(overlay, "Service")["gateway"]
        assert (target.scheme, target.hostname) == ("ws", service["metadata"]["name"])
        assert target.port == service["spec"]["ports"][0]["port"]


@each_overlay
def test_ports(overlay: str) -> None:
    """A container opens the ports that its settings say, for operations the one that its process is known by."""
    for name, process in SETTINGS.items():
        assert port(overlay, name, "ops") == settings(overlay, name).model_dump()["ops_port"]
        assert port(overlay, name, "ops") == process.model_fields["ops_port"].default
    served = settings(overlay, "gateway")
    assert isinstance(served, GatewaySettings)
    assert (served.host, port(overlay, "gateway", "http")) == ("0.0.0.0", served.port)  # noqa: S104 - as above
    (exposed,) = every(overlay, "Service")["gateway"]["spec"]["ports"]
    assert exposed["targetPort"] == "http"


@each_overlay
@each_name
def test_probes(overlay: str, name: str) -> None:
    """Kubernetes asks paths that the port of operations has: alive by /livez, ready by /readyz."""
    served = _application(CollectorRegistry(), lambda: Probe(ok=True, reason=""))
    paths = {resource.canonical for resource in served.router.resources()}
    asked = {
        kind: container(overlay, name)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }

    assert asked["readiness"] == {"path": "/readyz", "port": "ops"}
    assert asked["startup"] == asked["liveness"] == {"path": "/livez", "port": "ops"}
    assert {probe["path"] for probe in asked.values()} <= paths


@each_overlay
@each_process
def test_grace(overlay: str, name: str) -> None:
    """Nobody is killed while it still drains: the grace is what settings and promise add up to, and some more."""
    told = settings(overlay, name).model_dump()
    before = container(overlay, name).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)

    promise = f"`unready_s` + `drain_s` + {END_S} s to end"
    assert promise in (gateway.app.run.__doc__ or "")
    needed = before + told.get("unready_s", 0) + told["drain_s"] + END_S
    assert pod(overlay, name)["terminationGracePeriodSeconds"] == needed + SPARE_S[name]
    assert name != "gateway" or before >= END_S, "until every proxy has heard that it goes"


@each_overlay
@each_name
def test_hardened(overlay: str, name: str) -> None:
    """A process runs as the image's user, writes nowhere but /tmp, keeps no capability and no token."""
    user = int(re.findall(r"^USER (\d+):", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)[-1])
    spec, inner = pod(overlay, name), container(overlay, name)["securityContext"]

    assert {spec["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {user}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inner == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [path for path, volume in mounts(overlay, name).items() if "secret" not in volume]
    assert writable == ["/tmp"]  # noqa: S108 - in the container
    assert spec["automountServiceAccountToken"] is False
    account = every(overlay, "ServiceAccount")[spec["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False


@each_overlay
def test_service_links(overlay: str) -> None:
    """No Service becomes variables of a process: of one named tickwire they would look like settings."""
    assert all(pod(overlay, name)["enableServiceLinks"] is False for name in NAMES)


@each_overlay
@each_process
def test_credentials(overlay: str, name: str) -> None:
    """A process finds its own credentials, and no other's, where CREDENTIALS_FILE says."""
    folder, _, file = variables(overlay, name)["CREDENTIALS_FILE"].rpartition("/")
    made = passwords.make(passwords.SITES[overlay], {})["items"]

    secret = mounts(overlay, name)[folder]["secret"]["secretName"]

    assert secret == f"{name}-credentials"
    assert [list(item["data"]) for item in made if item["metadata"]["name"] == secret] == [[file]]


@each_overlay
def test_images(overlay: str) -> None:
    """All processes are one image, of one version that is not `latest` in production."""
    images = {container(overlay, name)["image"] for name in NAMES}

    assert len(images) == 1
    assert overlay != "production" or not images.pop().endswith(("tickwire", ":latest"))


@each_overlay
def test_memory(overlay: str) -> None:
    """History has twice the memory that it may fill; nobody has a limit of CPU time, which would hold up ticks."""
    told = settings(overlay, "history")
    assert isinstance(told, HistorySettings)
    for name in NAMES:
        resources = container(overlay, name)["resources"]
        assert set(resources["limits"]) == {"memory"}
        assert set(resources["requests"]) == {"cpu", "memory"}
    assert quantity(container(overlay, "history")["resources"]["limits"]["memory"]) >= 2 * told.memory_mb * MIB


def test_who_may_come_in() -> None:
    """Without the Secret of auth a gateway in production does not start; a local one lets anybody in."""
    closed, opened = settings("production", "gateway"), settings("local", "gateway")
    assert isinstance(closed, GatewaySettings)
    assert isinstance(opened, GatewaySettings)

    assert {"secretRef": {"name": "gateway-auth"}} in container("production", "gateway")["envFrom"]
    with pytest.raises(BadSettings, match="TICKWIRE_AUTH is none"):
        build_authority(closed, no_fetch, SystemClock())
    assert not build_authority(opened, no_fetch, SystemClock()).required
    assert parse_networks(closed.trusted_proxies)


def quantity(text: str) -> int:
    """Return how many bytes *text* is."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", text).groups()  # type: ignore[union-attr] # a wrong text may raise
    return int(number) * {"Mi": MIB, "Gi": 1024 * MIB}[unit]


async def no_fetch(_: str) -> bytes:
    """Fetch nothing: no test here asks for keys."""
    raise NotImplementedError
