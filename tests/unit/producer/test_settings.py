"""What a producer can be told, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.settings import ProducerSettings
from services.errors import BadSettings
from services.runtime.settings import load


def test_everything_has_a_default() -> None:
    """A producer that is told nothing simulates the built-in symbols for shard main."""
    settings = load(ProducerSettings)
    assert (settings.symbols, settings.pacing_ms, settings.shard, settings.ops_port) == (None, None, "main", 9101)


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting comes from its variable."""
    for name, value in {
        "SYMBOLS": "some.csv",
        "RATE": "20000",
        "SEED": "77",
        "PACING_MS": "2.5",
        "SHARD": "asia-1",
        "OPS_PORT": "0",
    }.items():
        monkeypatch.setenv(f"TICKWIRE_{name}", value)
    settings = load(ProducerSettings)
    assert settings.symbols == Path("some.csv")
    assert (settings.rate, settings.seed, settings.pacing_ms) == (20_000, 77, 2.5)
    assert (settings.shard, settings.ops_port) == ("asia-1", 0)


def test_all_faults_are_named() -> None:
    """Every bad value is refused at once, by variable."""
    with pytest.raises(BadSettings) as caught:
        load(ProducerSettings, {"rate": 0.5, "seed": -1, "pacing_ms": 0, "shard": "Main", "ops_port": 70_000})
    text = str(caught.value)
    assert len(caught.value.faults) == 5
    for name in ("RATE", "SEED", "PACING_MS", "SHARD", "OPS_PORT"):
        assert f"TICKWIRE_{name} is" in text
