"""The native wire, version 1: JSON text frames at `/v1/stream` (DESIGN 5, `docs/protocol.md`)."""
