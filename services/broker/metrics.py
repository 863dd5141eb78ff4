"""What an operator sees of the connections to the broker."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.broker.ports import LostReason

ROLES: Final = ("consume", "publish", "rpc", "log", "answer", "lease")
"""What a connection is for: the closed set of the label `role`."""


class BrokerMetrics:
    """Metrics of a process's connections; one per registry, shared by its source and its sink."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge(
            "tickwire_broker_connected", "1 while the connection stands", ["role"], registry=registry
        )
        self.blocked = Gauge(
            "tickwire_broker_blocked",
            "1 while the broker reads nothing (memory or disk alarm)",
            ["role"],
            registry=registry,
        )
        self.reconnects = Counter(
            "tickwire_broker_reconnects_total",
            "Connections lost and attempts failed, each followed by another attempt",
            ["role", "reason"],
            registry=registry,
        )
        self.following = Gauge(
            "tickwire_broker_following",
            "Symbols that the broker keeps a queue for on our behalf",
            registry=registry,
        )
        self.unfollowed = Counter(
            "tickwire_broker_unfollowed_total",
            "Symbols whose flow the broker ended while the connection stood",
            registry=registry,
        )
        for role in ROLES:  # a series that appears with its first event cannot show an increase
            self.connected.labels(role)
            self.blocked.labels(role)
            for reason in LostReason:
                self.reconnects.labels(role, reason.value)
