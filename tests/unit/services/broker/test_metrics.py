"""The metrics of the connections."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from services.broker.metrics import ROLES, STORED, BrokerMetrics
from services.broker.ports import LostReason
from services.broker.traffic import Refused


def test_every_series_is_there_from_the_start() -> None:
    """Each role and reason has its series before anything happens, at 0."""
    BrokerMetrics(registry := CollectorRegistry())
    for role in ROLES:
        assert registry.get_sample_value("tickwire_broker_connected", {"role": role}) == 0
        assert registry.get_sample_value("tickwire_broker_blocked", {"role": role}) == 0
        for reason in LostReason:
            labels = {"role": role, "reason": reason.value}
            assert registry.get_sample_value("tickwire_broker_reconnects_total", labels) == 0
        assert registry.get_sample_value("tickwire_broker_bytes_received_total", {"role": role}) == 0
    for code in Refused:
        assert registry.get_sample_value("tickwire_broker_channel_errors_total", {"code": code.value}) == 0
    for outcome in STORED:
        assert registry.get_sample_value("tickwire_candles_stored_total", {"outcome": outcome}) == 0


def test_traffic() -> None:
    """Bytes are shown by role, refusals by code over all roles."""
    metrics = BrokerMetrics(registry := CollectorRegistry())
    metrics.traffic["consume"].received += 7
    metrics.traffic["consume"].refuse(404)
    metrics.traffic["rpc"].refuse(404)

    assert registry.get_sample_value("tickwire_broker_bytes_received_total", {"role": "consume"}) == 7
    assert registry.get_sample_value("tickwire_broker_channel_errors_total", {"code": "404"}) == 2
