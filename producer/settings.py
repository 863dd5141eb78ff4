"""What a producer can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from services.runtime.settings import ProcessSettings

SHARD: Final = r"^[a-z0-9][a-z0-9_\-]{0,31}$"


class ProducerSettings(ProcessSettings):
    """Settings of `tickwire producer`."""

    ops_port: int = Field(default=9101, ge=0, le=65535, description="Port of `/metrics`, `/livez` and `/readyz`.")
    symbols: Path | None = Field(
        default=None,
        description="CSV file of the symbols (`symbol,name,price,volatility,beta,weight`); none: 100 US stocks.",
    )
    rate: float = Field(
        default=500.0, ge=1, le=50_000, description="Ticks per second over all symbols, averaged over the day."
    )
    seed: int = Field(
        default=1,
        ge=0,
        le=2**63 - 1,
        description="The same seed makes the same ticks, in a run that goes on from no earlier one.",
    )
    pacing_ms: float | None = Field(
        default=None,
        ge=0.1,
        le=1000,
        description="Milliseconds of ticks sent together; none: 1 below 5,000 ticks/s, 5 below 20,000, else 20.",
    )
    shard: str = Field(
        default="main",
        pattern=SHARD,
        description="Name of the set of symbols that this producer alone publishes.",
        examples=["1 to 32 of a-z, 0-9, _ and -, such as main"],
    )
    trace_every: int = Field(
        default=0,
        ge=0,
        le=1_000_000_000,
        description="Traces one of so many ticks with OpenTelemetry (`docs/tracing.md`); 0: none.",
    )
    standby: bool = Field(
        default=False,
        description="Whether to wait where another producer publishes this shard, and take over when it is gone.",
    )
