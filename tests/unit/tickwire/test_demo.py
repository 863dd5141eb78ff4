"""The demo's settings: three processes, one environment."""

from __future__ import annotations

import pytest

from gateway.settings import GatewaySettings
from producer.settings import ProducerSettings
from services.errors import BadSettings
from services.history.settings import HistorySettings
from services.runtime.settings import variable
from tickwire import demo


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in (GatewaySettings, ProducerSettings, HistorySettings):
        for field in settings.model_fields:
            monkeypatch.delenv(variable(field), raising=False)


def test_defaults() -> None:
    """The demo uses the broker in memory, its own rate, and three operations ports."""
    settings = demo.load_demo()

    assert {part.broker_url for part in (settings.gateway, settings.producer, settings.history)} == {"memory://"}
    assert settings.producer.rate == demo.RATE
    assert (settings.gateway.ops_port, settings.producer.ops_port, settings.history.ops_port) == (9100, 9101, 9102)


def test_one_operations_port_moves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations ports of producer and history follow the gateway's; 0 is any free one for all."""
    monkeypatch.setenv("TICKWIRE_OPS_PORT", "7000")
    settings = demo.load_demo()
    assert (settings.producer.ops_port, settings.history.ops_port) == (7001, 7002)

    monkeypatch.setenv("TICKWIRE_OPS_PORT", "0")
    settings = demo.load_demo()
    assert (settings.producer.ops_port, settings.history.ops_port) == (0, 0)


def test_rate_is_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that was asked for is kept, from a variable or a flag."""
    monkeypatch.setenv("TICKWIRE_RATE", "50")
    assert demo.load_demo().producer.rate == 50
    assert demo.load_demo(None, {"rate": "60"}).producer.rate == 60


def test_a_broker_of_one_s_own_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo stays in memory, whatever broker the environment names."""
    monkeypatch.setenv("TICKWIRE_BROKER_URL", "amqp://somewhere/")

    assert demo.load_demo().gateway.broker_url == "memory://"


def test_faults_of_all_three() -> None:
    """A fault that several processes have is reported once."""
    with pytest.raises(BadSettings) as caught:
        demo.load_demo({"drain_s": "x", "port": "x"}, {"drain_s": "x", "rate": "x"}, {"retention_s": "x"})

    assert [fault.split()[0] for fault in caught.value.faults] == [
        "TICKWIRE_DRAIN_S",
        "TICKWIRE_PORT",
        "TICKWIRE_RATE",
        "TICKWIRE_RETENTION_S",
    ]
