"""How many pods deploy/kubernetes runs, how they are replaced, and when there are more or fewer of them."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import pytest

from gateway.settings import GatewaySettings
from tests.monitoring.overlays import OVERLAYS, ROOT, Object, built, every, pod, settings

CONNECTIONS: Final = 5
"""Connections of one process to RabbitMQ at most, as deploy/rabbitmq/rabbitmq.conf counts."""
OTHERS: Final = 8
"""Processes beside gateways, also while they are replaced."""

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def test_rollout() -> None:
    """A rollout takes no gateway away before another one serves, and spreads them over nodes and zones."""
    deployment = every("production", "Deployment")["gateway"]["spec"]

    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}
    keys = [rule["topologyKey"] for rule in pod("production", "gateway")["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for name in ("producer", "history"):
        assert every("production", "Deployment")[name]["spec"]["replicas"] >= 2


@each_overlay
def test_budgets(overlay: str) -> None:
    """Each budget lets at least one pod go, or no node could be drained: a percentage rounds up."""
    for name, budget in every(overlay, "PodDisruptionBudget").items():
        if name == "broker":
            assert budget["spec"]["maxUnavailable"] == 1
            continue
        least = budget["spec"]["minAvailable"]
        pods = fewest(overlay, name)
        kept = math.ceil(pods * int(least.rstrip("%")) / 100) if isinstance(least, str) else least
        assert 1 <= kept < pods, name
    assert (
        overlay != "production"
        or every(overlay, "PodDisruptionBudget")["gateway"]["spec"]["minAvailable"] == "80%"
    )


def test_autoscaler() -> None:
    """Gateways are scaled by a metric of theirs, below two thirds of what each takes; no apply sets them back."""
    spec = every("production", "HorizontalPodAutoscaler")["gateway"]["spec"]
    pods, cpu = spec["metrics"]
    told = settings("production", "gateway")
    assert isinstance(told, GatewaySettings)

    assert f"| `{pods['pods']['metric']['name']}` | gauge |" in (ROOT / "docs/metrics.md").read_text()
    assert pods["pods"]["target"]["type"] == "AverageValue"
    assert int(pods["pods"]["target"]["averageValue"]) <= told.max_connections * 2 / 3
    assert cpu["resource"]["name"] == "cpu"
    assert "replicas" not in every("production", "Deployment")["gateway"]["spec"]
    assert spec["behavior"]["scaleDown"] == {
        "stabilizationWindowSeconds": 600,
        "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
    }
    config = every("production", "RabbitmqCluster")["broker"]["spec"]["rabbitmq"]["additionalConfig"]
    (most,) = re.findall(r"^connection_max = (\d+)$", config, re.MULTILINE)
    assert (spec["maxReplicas"] + OTHERS) * CONNECTIONS <= int(most), "also where one node holds them all"


def fewest(overlay: str, name: str) -> int:
    """Return how few pods of *name* there may be."""
    scaled = every(overlay, "HorizontalPodAutoscaler")
    spec: Object = every(overlay, "Deployment")[name]["spec"]
    return int(scaled[name]["spec"]["minReplicas"] if name in scaled else spec["replicas"])


def test_labels() -> None:
    """Pods are found by labels: each Deployment's selector takes its own pods only."""
    for found in built("production"):
        if found["kind"] == "Deployment":
            labels: dict[str, Any] = found["spec"]["template"]["metadata"]["labels"]
            assert found["spec"]["selector"]["matchLabels"].items() <= labels.items()
            assert labels["app.kubernetes.io/component"] == found["metadata"]["name"]
