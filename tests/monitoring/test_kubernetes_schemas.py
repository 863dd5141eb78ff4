"""Every object of every overlay passes the schema that is published for it, which refuses unknown fields."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Final

import jsonschema
import pytest
from kubernetes_validate.utils import validate

from tests.monitoring.overlays import OVERLAYS, Object, built, every

MODELS: Final[Mapping[str, str]] = {
    "monitoring.coreos.com/v1": "cloudcoil.models.prometheus_operator.v1",
    "cert-manager.io/v1": "cloudcoil.models.cert_manager.v1",
}
"""Where the schemas of what operators add to Kubernetes are published."""
RABBITMQ: Final = "rabbitmq.com/v1beta1"
CLUSTER: Final[Object] = {
    # Own list, since no package has this schema: fields of RabbitmqCluster in the cluster operator 2.22.3,
    # config/crd/bases/rabbitmq.com_rabbitmqclusters.yaml.
    "image": str,
    "replicas": int,
    "persistence": {"storage": str, "storageClassName": str},
    "resources": dict,
    "affinity": dict,
    "rabbitmq": {"additionalConfig": str, "additionalPlugins": list},
    "tls": {"secretName": str, "caSecretName": str, "disableNonTLSListeners": bool},
    "override": {"statefulSet": {"spec": {"template": {"metadata": dict, "spec": dict}}}},
}
VERSIONS: Final = ("1.30", "1.37")
"""The oldest Kubernetes that will do, since it can sleep before it ends a container, and the newest known here."""


def check_core(found: Object, version: str) -> None:
    """Raise unless *found* is an object of Kubernetes *version* itself, without an unknown field."""
    validate(found, version, strict=True)


def check_model(found: Object) -> None:
    """Raise unless *found* is what its operator's published model says, without an unknown field."""
    jsonschema.validate(found, _schema(found["apiVersion"], found["kind"]))


def check_cluster(found: Object) -> None:
    """Raise unless *found* is a RabbitmqCluster; what is a pod's in it is held against Kubernetes' schema."""
    _check_fields(found["spec"], CLUSTER, "spec")
    override = found["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]
    parts = {"affinity": found["spec"]["affinity"], **override}
    parts["containers"] = [{**parts["containers"][0], "resources": found["spec"]["resources"]}]
    check_core({"apiVersion": "v1", "kind": "Pod", "metadata": found["metadata"], "spec": parts}, VERSIONS[-1])


def check(found: Object, version: str) -> None:
    """Raise unless *found* passes the schema for it."""
    if found["apiVersion"] == RABBITMQ:
        check_cluster(found)
    elif found["apiVersion"] in MODELS:
        check_model(found)
    else:
        check_core(found, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_schemas(overlay: str, version: str) -> None:
    """Every object passes the schema for it."""
    for found in built(overlay):
        try:
            check(found, version)
        except (jsonschema.ValidationError, ValueError, TypeError) as error:
            raise AssertionError(f"{found['kind']} {found['metadata']['name']}: {error}") from error


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("Deployment", "gateway", ("spec", "template", "spec", "containers", 0)),
        ("NetworkPolicy", "broker", ("spec", "ingress", 0)),
        ("HorizontalPodAutoscaler", "gateway", ("spec", "behavior", "scaleDown")),
        ("PodMonitor", "gateway", ("spec", "podMetricsEndpoints", 0)),
        ("PrometheusRule", "", ("spec", "groups", 0, "rules", 0)),
        ("Certificate", "broker", ("spec", "privateKey")),
        ("Issuer", "broker-authority", ("spec", "ca")),
        ("RabbitmqCluster", "broker", ("spec", "tls")),
        (
            "RabbitmqCluster",
            "broker",
            ("spec", "override", "statefulSet", "spec", "template", "spec", "topologySpreadConstraints", 0),
        ),
    ],
)
def test_unknown_fields(kind: str, name: str, path: tuple[str | int, ...]) -> None:
    """A field that nobody knows is refused, wherever it stands (without *name*: in the first of the kind)."""
    objects = every("production", kind)
    found = deepcopy(objects[name or next(iter(objects))])
    inner: Any = found
    for step in path:
        inner = inner[step]
    inner["nobodyKnowsThis"] = "1"

    with pytest.raises((jsonschema.ValidationError, ValueError, TypeError)):
        check(found, VERSIONS[-1])


def test_kinds() -> None:
    """Nothing is in production that no schema here knows, and all that the operators add is there."""
    kinds = {found["kind"] for found in built("production")}

    assert {"RabbitmqCluster", "Certificate", "Issuer", "PodMonitor", "PrometheusRule"} <= kinds


@cache
def _schema(version: str, kind: str) -> Object:
    model = getattr(importlib.import_module(MODELS[version]), kind)
    schema: Object = model.model_json_schema(by_alias=True)
    for inner in _parts(schema):
        if isinstance(inner.get("properties"), dict) and inner.get("type") == "object":
            inner["additionalProperties"] = False
        if isinstance(inner.get("pattern"), str):  # Go's spelling
            inner["pattern"] = inner["pattern"].replace("^(?i)", "(?i)^")
    # Kubernetes' own, not the operators'; the API server writes fields of it that the model would ask for.
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _parts(schema: object) -> Iterator[Object]:
    if isinstance(schema, dict):
        yield schema
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in inner:
        yield from _parts(part)


def _check_fields(found: Object, allowed: Object, path: str) -> None:
    for name, value in found.items():
        rule = allowed.get(name)
        if rule is None:
            raise ValueError(f"{path}.{name} is no field of {path}: {sorted(allowed)} are")
        if not isinstance(value, dict if isinstance(rule, dict) else rule):
            raise TypeError(f"{path}.{name} is {value!r}, but must be {rule}")
        if isinstance(rule, dict):
            _check_fields(value, rule, f"{path}.{name}")
