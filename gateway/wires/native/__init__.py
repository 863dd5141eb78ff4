"""The native wire, version 1: JSON text frames at `/v1/stream` (`docs/protocol.md`)."""
