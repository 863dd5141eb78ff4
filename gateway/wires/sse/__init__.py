"""Server-Sent Events: `/v1/sse`, for browsers' EventSource, curl, and whoever cannot speak WebSocket."""
