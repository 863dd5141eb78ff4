"""Who may speak to whom in deploy/kubernetes, and what Prometheus is told there, against the code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.kubernetes import passwords, rules
from gateway.wires.native.encode import HEARTBEAT_S
from tests.monitoring.overlays import (
    KUBERNETES,
    OVERLAYS,
    PROCESSES,
    ROOT,
    SETTINGS,
    Object,
    every,
    kustomized,
    pod,
    policies,
    port,
    ports_of,
    selects,
)
from tests.monitoring.test_kubernetes_schemas import VERSIONS, check_core

NAMES: Final = tuple(SETTINGS)
BROKER: Final[Mapping[str, int]] = {"local": 5672, "production": 5671}
SCRAPED: Final[Mapping[str, int]] = {"prometheus": 15692, "prometheus-tls": 15691}
"""Ports of RabbitMQ's nodes by the names that the operator gives them."""
BETWEEN: Final = {4369, 25672, 6000, 35672}
"""Ports of RabbitMQ's nodes among themselves: epmd, distribution, copies of streams, rabbitmqctl."""

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_process = pytest.mark.parametrize("name", PROCESSES)


@each_overlay
def test_default(overlay: str) -> None:
    """Nothing may talk to anything but names, unless a policy says so."""
    found = every(overlay, "NetworkPolicy")
    general = {name: policy["spec"] for name, policy in found.items() if not policy["spec"]["podSelector"]}

    assert general.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (dns,) = general.values()
    assert dns["policyTypes"] == ["Egress"]
    assert [ports_of(rule) for rule in dns["egress"]] == [{53}]
    for policy in found.values():
        directions = {kind.lower() for kind in policy["spec"]["policyTypes"]}
        assert {"ingress", "egress"} & policy["spec"].keys() <= directions, policy["metadata"]["name"]


@each_overlay
@each_process
def test_to_broker(overlay: str, name: str) -> None:
    """A process reaches RabbitMQ's nodes, at the one port that its credentials name, and nothing else."""
    (rule,) = policies(overlay, name, "egress")
    (peer,) = rule["to"]

    assert ports_of(rule) == {BROKER[overlay]} == {passwords.SITES[overlay].port}
    assert peer == {"podSelector": {"matchLabels": nodes(overlay)}}


@each_overlay
def test_broker(overlay: str) -> None:
    """RabbitMQ is reached by processes, its own nodes, its operator and Prometheus, each at ports of its own."""
    clients, between, operator, *prometheus = policies(overlay, "rabbitmq", "ingress")

    assert ports_of(clients) == {BROKER[overlay]}
    assert [name for name in NAMES if selects(clients["from"][0]["podSelector"], name)] == list(PROCESSES)
    assert ports_of(between) == BETWEEN
    assert between["from"] == [{"podSelector": {"matchLabels": nodes(overlay)}}]
    assert ports_of(operator) == {15671, 15672}
    assert [ports_of(rule) for rule in prometheus] == (
        [{SCRAPED["prometheus-tls"]}] if overlay == "production" else []
    )


@each_overlay
def test_to_gateway(overlay: str) -> None:
    """Clients come to the gateways' port through the ingress controller only; without one, only the canary."""
    public = port(overlay, "gateway", "http")
    (rule,) = (rule for rule in policies(overlay, "gateway", "ingress") if public in ports_of(rule))
    (peer,) = rule["from"]

    assert ports_of(rule) == {public}
    if overlay == "production":
        assert peer == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
    else:
        assert selects(peer["podSelector"], "canary")
        assert not selects(peer["podSelector"], "gateway")


@each_overlay
def test_canary(overlay: str) -> None:
    """The canary reaches where clients go, and nothing else; no cloud's credentials either."""
    (rule,) = policies(overlay, "canary", "egress")

    if overlay == "production":
        assert ports_of(rule) == {443}
        assert [peer["ipBlock"]["except"] for peer in rule["to"]] == [["169.254.0.0/16"], ["fe80::/10"]]
    else:
        assert ports_of(rule) == {port(overlay, "gateway", "http")}
        assert [selects(peer["podSelector"], "gateway") for peer in rule["to"]] == [True]


def test_key_server(tmp_path: Path) -> None:
    """With the component key-server gateways, and nobody else, reach where tokens' keys are fetched from."""
    kubernetes = os.path.relpath(KUBERNETES, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [{kubernetes}/overlays/production]\ncomponents: [{kubernetes}/components/key-server]\n"
    )
    (added,) = (found for found in kustomized(tmp_path) if found["metadata"]["name"] == "gateway-to-key-server")

    check_core(added, VERSIONS[-1])
    assert [ports_of(rule) for rule in added["spec"]["egress"]] == [{443}]
    assert [name for name in NAMES if selects(added["spec"]["podSelector"], name)] == ["gateway"]


def test_scrapes() -> None:
    """Prometheus finds each process by its labels, at the port of operations, under the job that rules know."""
    for name in NAMES:
        spec = every("production", "PodMonitor")[name]["spec"]
        labels = every("production", "Deployment")[name]["spec"]["template"]["metadata"]["labels"]
        (endpoint,) = spec["podMetricsEndpoints"]

        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert labels[spec["jobLabel"]] == name
        assert endpoint["path"] == "/metrics"
        assert port("production", name, endpoint["port"]) in allowed_to_prometheus(name)


def test_jobs() -> None:
    """Every job of the Compose stack is one here, asked as often; RabbitMQ by TLS and for its own name."""
    compose = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    monitors = every("production", "PodMonitor")
    found = {name if name != "broker" else "rabbitmq": monitor["spec"] for name, monitor in monitors.items()}

    for job in compose["scrape_configs"]:
        if job["job_name"] in {*NAMES, "rabbitmq"}:
            (endpoint,) = found[job["job_name"]]["podMetricsEndpoints"]
            assert endpoint["interval"] == job.get("scrape_interval", compose["global"]["scrape_interval"])
            assert endpoint["scrapeTimeout"] == job.get("scrape_timeout", compose["global"]["scrape_timeout"])
    broker = found["rabbitmq"]
    (endpoint,) = broker["podMetricsEndpoints"]
    assert broker["selector"]["matchLabels"] == nodes("production")
    assert broker["selector"]["matchLabels"][broker["jobLabel"]] == "rabbitmq"
    certificate = every("production", "Certificate")["broker"]["spec"]
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"]["serverName"] in certificate["dnsNames"]
    assert endpoint["tlsConfig"]["ca"]["secret"] == {"name": certificate["secretName"], "key": "ca.crt"}


def test_rules() -> None:
    """The rules are those of deploy/prometheus: run deploy/kubernetes/rules.py after a change there."""
    files = {path.stem: yaml.safe_load(path.read_text())["groups"] for path in rules.rule_files(rules.RULES)}
    found = {name: rule["spec"]["groups"] for name, rule in every("production", "PrometheusRule").items()}

    assert rules.WRITTEN.read_text() == rules.wrapped(rules.RULES)
    assert files
    assert words(found) == words({f"tickwire-{name}": groups for name, groups in files.items()})


def test_adapter() -> None:
    """The adapter's rule serves the metric that the autoscaler asks for, of a pod in a namespace."""
    (rule,) = yaml.safe_load((KUBERNETES / "components/autoscaling/adapter.yaml").read_text())["rules"]
    (asked,) = (
        entry["pods"]["metric"]["name"]
        for entry in every("production", "HorizontalPodAutoscaler")["gateway"]["spec"]["metrics"]
        if entry["type"] == "Pods"
    )

    assert rule["name"] == {"matches": f"^{asked}$", "as": asked}
    assert rule["seriesQuery"] == f'{asked}{{namespace!="",pod!=""}}'
    assert rule["resources"]["overrides"].keys() == {"namespace", "pod"}


def test_ingress() -> None:
    """The public door forwards to the gateways' port, by TLS for its name, and outlasts their silence."""
    found = every("production", "Ingress")["gateway"]
    notes, spec = found["metadata"]["annotations"], found["spec"]
    certificate = every("production", "Certificate")["gateway"]["spec"]
    (rule,), (tls,) = spec["rules"], spec["tls"]
    (path,) = rule["http"]["paths"]

    assert tls == {"hosts": certificate["dnsNames"], "secretName": certificate["secretName"]}
    assert [rule["host"]] == certificate["dnsNames"]
    service = every("production", "Service")[path["backend"]["service"]["name"]]["spec"]
    assert path["backend"]["service"]["port"]["name"] in {entry["name"] for entry in service["ports"]}
    assert notes["nginx.ingress.kubernetes.io/enable-access-log"] == "false", "an address may hold a ticket"
    for key in ("nginx.ingress.kubernetes.io/proxy-{}-timeout", "nginx.org/proxy-{}-timeout"):
        for way in ("read", "send"):
            assert int(notes[key.format(way)].rstrip("s")) > 4 * HEARTBEAT_S


def test_trust() -> None:
    """Processes believe the authority of RabbitMQ's certificate, which names every node that they are given."""
    certificates = every("production", "Certificate")
    broker, authority = certificates["broker"]["spec"], certificates["broker-authority"]["spec"]
    issuers = every("production", "Issuer")
    cluster = every("production", "RabbitmqCluster")["broker"]["spec"]

    assert set(passwords.SITES["production"].hosts) <= set(broker["dnsNames"])
    assert issuers[broker["issuerRef"]["name"]]["spec"] == {"ca": {"secretName": authority["secretName"]}}
    assert authority["isCA"] is True
    assert cluster["tls"] == {"secretName": broker["secretName"], "disableNonTLSListeners": True}
    for name in PROCESSES:
        trusted = volume("production", name, "authority")
        assert trusted["secretName"] == broker["secretName"]
        assert trusted["items"] == [{"key": "ca.crt", "path": "ca.crt"}], "no key"
        (path,) = (
            entry["value"]
            for entry in pod("production", name)["containers"][0]["env"]
            if entry["name"] == "TICKWIRE_BROKER_CA"
        )
        assert path == "/run/authority/ca.crt"


def nodes(overlay: str) -> Object:
    """Return the labels that the operator gives the pods of the cluster in *overlay*."""
    (name,) = every(overlay, "RabbitmqCluster")
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "rabbitmq"}


def allowed_to_prometheus(name: str) -> set[int]:
    """Return the ports of *name* that pods of Prometheus may reach."""
    return {
        number
        for rule in policies("production", name, "ingress")
        if any("prometheus" in str(peer.get("podSelector")) for peer in rule["from"])
        for number in ports_of(rule)
    }


def volume(overlay: str, name: str, called: str) -> dict[str, Any]:
    """Return the Secret behind the volume of *name* that is called *called*."""
    (found,) = (entry["secret"] for entry in pod(overlay, name)["volumes"] if entry["name"] == called)
    secret: dict[str, Any] = found
    return secret


def words(value: Any) -> Any:
    """Return *value* with one space for each gap in a text: kubectl folds long ones anew, and adds empty lines."""
    if isinstance(value, dict):
        return {key: words(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [words(inner) for inner in value]
    return " ".join(value.split()) if isinstance(value, str) else value
