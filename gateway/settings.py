"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from gateway.line import IDLE_GRACE
from services.broker.queues import PER_SYMBOL, QUEUES_ALLOWED, parse_queues
from services.runtime.settings import SECRET, Listed, ProcessSettings


def _divided(text: str) -> str:
    try:
        parse_queues(text)
    except ValueError as error:
        raise PydanticCustomError("queues", "{what}", {"what": str(error)}) from None
    return text


class GatewaySettings(ProcessSettings):
    """What a gateway can be told: where it listens, whom it lets in, and how much each may ask."""

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
    auth: Literal["none", "keys", "jwt"] = Field(
        default="none",
        description="Who may come in: anybody (`none`), who has a key of `TICKWIRE_KEYS_FILE`, or who has a token "
        "signed with a key of `TICKWIRE_JWT_KEYS`.",
    )
    anybody: bool = Field(
        default=False,
        description="Lets `TICKWIRE_AUTH=none` serve other interfaces than loopback.",
    )
    auth_s: float = Field(
        default=5.0,
        ge=0.1,
        le=60,
        description="Seconds that a client without a token in its handshake has to send one with `auth`.",
    )
    keys_file: Path | None = Field(
        default=None, description="File of hashed API keys, as `tickwire new-key` writes its lines."
    )
    jwt_keys: str | None = Field(
        default=None,
        description="Keys that tokens are signed with: a file (PEM, or a JSON Web Key set), or the address of a "
        "JSON Web Key set.",
        examples=["a path", "https://…"],
    )
    jwt_issuer: str | None = Field(default=None, min_length=1, description="What a token's `iss` must be.")
    jwt_audience: str | None = Field(default=None, min_length=1, description="What a token's `aud` must name.")
    jwt_algorithms: Annotated[tuple[Literal["ES256", "EdDSA", "RS256", "HS256"], ...], Listed] = Field(
        default=("ES256", "EdDSA", "RS256"),
        min_length=1,
        description="Signatures that are accepted; HS256, whose key can also sign, only where it is named here.",
        examples=["a list of ES256, EdDSA, RS256, HS256"],
    )
    jwt_leeway_s: float = Field(
        default=5.0, ge=0, le=60, description="Seconds that a token's times may be off by another clock."
    )
    jwt_life_s: int = Field(
        default=86_400,
        ge=60,
        le=604_800,
        description="Seconds that a token may still live when it is shown; a revocation is remembered for longer.",
    )
    ticket_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        examples=["text of at least 32 characters"],
        json_schema_extra=SECRET,
        description="Signs one-time tickets, the same on every gateway; without it there are none.",
    )
    origins: Annotated[tuple[str, ...], Listed] = Field(
        default=(),
        description="Origins of the pages that may connect, as browsers name them; none: only pages of this host.",
        examples=["a list of https://host"],
    )
    trusted_proxies: Annotated[tuple[str, ...], Listed] = Field(
        default=(),
        description="Networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
        examples=["a list of 10.0.0.0/8"],
    )
    max_connections: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Clients connected at once, per worker; the next one is refused.",
    )
    max_per_address: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Clients connected at once from one address (of IPv6: one /64), per worker.",
    )
    max_per_subject: int = Field(
        default=20,
        ge=1,
        le=1_000_000,
        description="Clients connected at once with tokens of one subject, per worker, where the token names no "
        "other number.",
    )
    max_pending: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000,
        description="Connections without a complete request; beyond them the oldest is dropped.",
    )
    handshake_rate: float = Field(
        default=20.0,
        ge=0.1,
        le=100_000,
        description="Handshakes per second from one address in the long run.",
    )
    handshake_burst: int = Field(
        default=200, ge=1, le=1_000_000, description="Handshakes at once from one address."
    )
    http_rate: float = Field(
        default=50.0,
        ge=0.1,
        le=100_000,
        description="Plain HTTP requests (`docs/http.md`) per second from one address in the long run.",
    )
    http_burst: int = Field(
        default=200, ge=1, le=1_000_000, description="Plain HTTP requests at once from one address."
    )
    first_byte_s: float = Field(
        default=5.0, ge=0.1, le=60, description="Seconds until a new connection's first byte."
    )
    request_s: float = Field(
        default=10.0,
        ge=0.1,
        le=60,
        description="Seconds until a new connection's whole request, and that an idle HTTP connection is kept.",
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
    ping_rate: float = Field(
        default=10.0, ge=0.1, le=10_000, description="Pings per second that one client may send in the long run."
    )
    ping_burst: int = Field(default=20, ge=1, le=100_000, description="Pings that one client may send at once.")
    message_bytes: int = Field(
        default=65_536, ge=1_024, le=1_048_576, description="Most bytes of one message from a client."
    )
    replay_ticks: int = Field(
        default=50_000,
        ge=1_000,
        le=10_000_000,
        description="Ticks of the past that one connection is sent per minute, and one HTTP client.",
    )
    bind_rate: float = Field(
        default=500.0,
        ge=1,
        le=100_000,
        description="Symbols per second that are bound or unbound at the broker in the long run, per worker.",
    )
    bind_burst: int = Field(
        default=1_000, ge=1, le=1_000_000, description="Symbols bound or unbound at once, per worker."
    )
    age_s: float = Field(
        default=86_400.0,
        ge=1,
        le=31_536_000,
        description="Seconds after which a connection is sent away to come back, 10 % more or less.",
    )
    trace: bool = Field(
        default=False,
        description="Whether to trace with OpenTelemetry the ticks that `TICKWIRE_TRACE_EVERY` sampled "
        "(`docs/tracing.md`).",
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
    queues: Annotated[str, AfterValidator(_divided)] = Field(
        default=str(PER_SYMBOL),
        description="Queues at the broker: one for each symbol, or at most K that share all symbols "
        "(`docs/scaling.md` says when); each gateway may have its own.",
        examples=list(QUEUES_ALLOWED),
    )
    idle_grace_s: float = Field(
        default=IDLE_GRACE,
        ge=0,
        le=3600,
        description="Seconds that a symbol without followers stays bound at the broker.",
    )
