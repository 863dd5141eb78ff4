"""What a history can be told."""

from __future__ import annotations

from pydantic import Field

from services.runtime.settings import ProcessSettings


class HistorySettings(ProcessSettings):
    """Settings of `tickwire history`."""

    ops_port: int = Field(default=9102, ge=0, le=65535, description="Port of `/metrics`, `/livez` and `/readyz`.")
    retention_s: float = Field(
        default=120.0,
        ge=1,
        le=1800,
        description="Seconds of ticks that are remembered, and read again at the start; the log has 30 minutes.",
    )
    ring_ticks: int = Field(
        default=20_000, ge=1, le=10_000_000, description="Most ticks remembered of one symbol; the oldest go."
    )
    memory_mb: int = Field(
        default=512,
        ge=16,
        le=1_048_576,
        description="MiB for ticks (three quarters) and candles of all symbols; the oldest go.",
    )
