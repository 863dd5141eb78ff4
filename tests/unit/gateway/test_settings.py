"""The gateway's settings."""

from __future__ import annotations

import pytest

from gateway.settings import GatewaySettings
from services.errors import BadSettings
from services.runtime.settings import load


def test_defaults_are_the_contract() -> None:
    """Ports and limits are what the documentation promises."""
    settings = GatewaySettings()
    assert (settings.host, settings.port, settings.ops_port) == ("127.0.0.1", 8080, 9100)
    assert (settings.command_rate, settings.command_burst) == (50, 100)
    assert settings.stuck_s == 10


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that must stay are read from the environment."""
    monkeypatch.setenv("TICKWIRE_PORT", "8443")
    monkeypatch.setenv("TICKWIRE_OPS_PORT", "9110")
    monkeypatch.setenv("TICKWIRE_MAX_CONNECTIONS", "5")
    settings = load(GatewaySettings)
    assert (settings.port, settings.ops_port, settings.max_connections) == (8443, 9110, 5)


def test_all_faults_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wrong value is named in one go."""
    monkeypatch.setenv("TICKWIRE_PORT", "99999")
    monkeypatch.setenv("TICKWIRE_STUCK_S", "never")
    with pytest.raises(BadSettings) as caught:
        load(GatewaySettings)
    assert [fault.split()[0] for fault in caught.value.faults] == ["TICKWIRE_PORT", "TICKWIRE_STUCK_S"]


@pytest.mark.parametrize("value", ["bucket:0", "bucket:1025", "buckets:4"])
def test_queues_are_named_with_their_bounds(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A division that there is none of is refused with what is allowed."""
    monkeypatch.setenv("TICKWIRE_QUEUES", value)
    with pytest.raises(BadSettings) as caught:
        load(GatewaySettings)
    assert caught.value.faults == [
        f"TICKWIRE_QUEUES is '{value}', but must be symbol or bucket:K, K from 1 to 1024"
    ]


def test_queues_are_per_symbol_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each symbol has its own queue unless buckets are asked for."""
    assert load(GatewaySettings).queues == "symbol"
    monkeypatch.setenv("TICKWIRE_QUEUES", "bucket:64")
    assert load(GatewaySettings).queues == "bucket:64"
