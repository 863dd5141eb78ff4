"""RabbitMQ as an overlay of deploy/kubernetes has it, and the Secrets of its first start."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from deploy.kubernetes import passwords
from tests.monitoring.overlays import Object, every


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
