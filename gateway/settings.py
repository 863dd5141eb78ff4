"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gateway.line import IDLE_GRACE
from services.runtime.settings import ProcessSettings


class GatewaySettings(ProcessSettings):
    """What a gateway can be told."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Interface that the gateway serves clients on."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="Port for clients; 0: any free one.")
    ops_port: int = Field(
        default=9100, ge=0, le=65535, description="Port of `/metrics`, `/livez` and `/readyz`; 0: any free one."
    )
    tls_cert: Path | None = Field(
        default=None, description="PEM file with the certificate and its chain; with it clients are served by TLS."
    )
    tls_key: Path | None = Field(default=None, description="PEM file with the key of `TICKWIRE_TLS_CERT`.")
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Gateway processes on the one port; from 2 on each has an operations port of its own, "
        "`TICKWIRE_OPS_PORT` + 10, + 11 and so on.",
    )
    worker: int | None = Field(
        default=None,
        ge=0,
        le=63,
        description="Which of several workers this process is: set by the one that starts them, not by you.",
    )
    max_connections: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Clients connected at once, per worker; the next one is refused.",
    )
    max_symbols: int = Field(
        default=1_000, ge=1, le=100_000, description="Symbols that one client may follow at once."
    )
    command_rate: float = Field(
        default=50.0,
        ge=0.1,
        le=10_000,
        description="Commands per second that one client may send in the long run.",
    )
    command_burst: int = Field(
        default=100, ge=1, le=100_000, description="Commands that one client may send at once."
    )
    flush_ms: float = Field(
        default=10.0,
        ge=0,
        le=100,
        description="Most milliseconds that ticks wait for more while the gateway is busy; 0: never.",
    )
    stuck_s: float = Field(
        default=10.0,
        ge=0.1,
        le=300,
        description="Seconds without one byte taken after which a client is disconnected.",
    )
    unready_s: float = Field(
        default=0.0,
        ge=0,
        le=60,
        description="Seconds that a gateway told to end still lets clients in while it says that it is not ready: "
        "what sends them here takes so long to notice.",
    )
    idle_grace_s: float = Field(
        default=IDLE_GRACE,
        ge=0,
        le=3600,
        description="Seconds that a symbol without followers stays bound at the broker.",
    )
