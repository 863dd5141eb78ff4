"""What a history can be told."""

from __future__ import annotations

import pytest

from services.errors import BadSettings
from services.history.settings import HistorySettings
from services.runtime.settings import load


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word: 120 s, 20,000 ticks of a symbol, 512 MiB, port 9102."""
    monkeypatch.delenv("TICKWIRE_OPS_PORT", raising=False)
    settings = load(HistorySettings)
    assert (settings.retention_s, settings.ring_ticks, settings.memory_mb) == (120, 20_000, 512)
    assert settings.ops_port == 9102


def test_faults() -> None:
    """Values out of range are all named, with what they may be."""
    with pytest.raises(BadSettings) as caught:
        load(HistorySettings, {"retention_s": 0, "ring_ticks": 0, "memory_mb": 1})
    assert caught.value.faults == [
        "TICKWIRE_MEMORY_MB is 1, but must be a whole number from 16 to 1048576",
        "TICKWIRE_RETENTION_S is 0, but must be a number from 1 to 1800",
        "TICKWIRE_RING_TICKS is 0, but must be a whole number from 1 to 10000000",
    ]
