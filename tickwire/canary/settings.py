"""What a canary can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from services.runtime.settings import CommonSettings


class CanarySettings(CommonSettings):
    """Settings of `tickwire canary`, which needs no broker."""

    ops_port: int = Field(default=9103, ge=0, le=65535, description="Port of `/metrics`, `/livez` and `/readyz`.")
    ca: Path | None = Field(
        default=None,
        description="Certificates of the authority that vouches for the gateway's, PEM, for a `wss://` with its "
        "own authority; without it: those that the system trusts.",
    )
    token_file: Path | None = Field(
        default=None, description="File with the token to show, read again for each connection."
    )
