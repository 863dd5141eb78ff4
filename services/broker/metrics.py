"""What an operator sees of the connections to the broker."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.broker.ports import LostReason
from services.broker.traffic import Refused, Traffic
from services.telemetry import families

ANSWER_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Buckets up to the longest wait for an answer."""
FOLLOW_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Buckets up to the longest wait for an answer to one request."""
ROLES: Final = ("consume", "publish", "rpc", "log", "answer", "lease", "admission")
"""What a connection is for: the closed set of the label `role`."""

STORED: Final = ("written", "dropped")
"""What became of a finished candle: the closed set of the label `outcome`."""


class TicketOutcome(StrEnum):
    """What became of a ticket that was put or asked for: the closed set of the label `outcome`."""

    PUT = "put"
    """It can be taken now."""
    TAKEN = "taken"
    MISSED = "missed"
    """Taken by somebody, or too old, or never put."""
    FULL = "full"
    """Not put: as many wait as one gateway may have."""
    UNAVAILABLE = "unavailable"
    """The broker did not say in time."""


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
            "Symbols that the broker sends us the ticks of",
            registry=registry,
        )
        self.queues = Gauge(
            "tickwire_broker_queues",
            "Queues that these come through: as many as symbols, or at most K where TICKWIRE_QUEUES is bucket:K",
            registry=registry,
        )
        self.unwanted = Counter(
            "tickwire_ticks_unwanted_total",
            "Ticks that came for nobody: they were in a bucket's queue when their symbol was unbound from it",
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
        self.follow_seconds = Histogram(
            "tickwire_broker_follow_seconds",
            "From asking the broker for a symbol to its ticks coming",
            buckets=FOLLOW_SECONDS,
            registry=registry,
        )
        self.traffic = {role: Traffic() for role in ROLES}
        """What comes over the connections of each role."""
        registry.register(TrafficCollector(self.traffic))
        self.rpc = RpcMetrics(registry)
        self.admission = AdmissionMetrics(registry)


class TrafficCollector(Collector):
    """Shows what connections have counted, by role."""

    def __init__(self, traffic: dict[str, Traffic]) -> None:
        self._traffic = traffic

    def collect(self) -> Iterator[Metric]:
        """Yield bytes by role, and refusals by code."""
        yield families.counters(
            "tickwire_broker_bytes_received",
            "Bytes that came from the broker, before TLS.",
            "role",
            [(role, traffic.received) for role, traffic in self._traffic.items()],
        )
        yield families.counters(
            "tickwire_broker_channel_errors",
            "Channels that the broker closed for an error, by its code.",
            "code",
            [(code.value, sum(t.refused[code] for t in self._traffic.values())) for code in Refused],
        )


class AdmissionMetrics:
    """Metrics of what a gateway keeps on the broker for letting people in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.revocations = Counter(
            "tickwire_revocations_read_total",
            "Revocations read from the broker, again after each new connection",
            registry=registry,
        )
        self.malformed = Counter(
            "tickwire_revocations_malformed_total",
            "Messages of the revocation log dropped since no codec of ours wrote them",
            registry=registry,
        )
        self.tickets = Counter(
            "tickwire_tickets_total", "Tickets put or asked for at the broker", ["outcome"], registry=registry
        )
        for outcome in TicketOutcome:
            self.tickets.labels(outcome.value)


class RpcMetrics:
    """Metrics of asking history and of answering for it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.present = Gauge(
            "tickwire_rpc_present", "1 while history counts as present for who asks here", registry=registry
        )
        self.requests = Counter("tickwire_rpc_requests_total", "Requests sent to history", registry=registry)
        self.replies = Counter("tickwire_rpc_replies_total", "Replies received from history", registry=registry)
        self.late = Counter(
            "tickwire_rpc_late_total",
            "Replies dropped since nobody waits for them any more",
            registry=registry,
        )
        self.timeouts = Counter(
            "tickwire_rpc_timeouts_total", "Questions that nobody answered in time", registry=registry
        )
        self.unsent = Counter(
            "tickwire_rpc_unsent_total",
            "Requests not sent, or not answered, since the broker takes nothing (alarm, or a full socket)",
            registry=registry,
        )
        self.malformed = Counter(
            "tickwire_rpc_malformed_total",
            "Requests and replies dropped since no codec of ours wrote them",
            registry=registry,
        )
        self.seconds = Histogram(
            "tickwire_rpc_seconds",
            "From a request to each of its replies",
            buckets=ANSWER_SECONDS,
            registry=registry,
        )
        self.answered = Counter("tickwire_rpc_answered_total", "Questions answered here", registry=registry)
        self.left = Counter(
            "tickwire_rpc_left_total",
            "Questions not answered here since their answers had too many bytes",
            registry=registry,
        )
        self.candles = Counter(
            "tickwire_candles_stored_total",
            "Finished candles given to the candle log, or dropped since the broker takes nothing",
            ["outcome"],
            registry=registry,
        )
        for outcome in STORED:
            self.candles.labels(outcome)
