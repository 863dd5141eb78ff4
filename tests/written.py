"""What gateways say in tests, against the AsyncAPI document that they would serve."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import orjson

from gateway.settings import GatewaySettings
from gateway.wires.spec.asyncapi import asyncapi
from gateway.wires.spec.bounds import bounds
from tests.schemas import Strict

MOST: Final = 20
"""Frames of each op that are looked at: a thousand ticks take a second."""


class Written:
    """Looks at the first frames of each op."""

    def __init__(self, most: int = MOST) -> None:
        self.seen: Counter[str] = Counter()
        self._most = most
        self._strict: Strict | None = None
        self._schemas: dict[str, list[dict[str, Any]]] = {}

    def faults(self, text: str | bytes) -> list[str]:
        """Return what is wrong with a frame or command, by every message of its op; nothing: one of them is it."""
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            return []  # what is broken on purpose on its way is not the gateway's
        op = said.get("op", "")
        self.seen[op] += 1
        if self.seen[op] > self._most:
            return []
        strict = self._read()
        found = [strict.faults(schema, said) for schema in self._schemas.get(op, ())]
        if not found:
            return [f"no message has the op {op}"]
        return [] if [] in found else [f"{op}: {fault}" for faults in found for fault in faults]

    def _read(self) -> Strict:
        if self._strict is None:
            document = asyncapi(bounds(GatewaySettings(), "0"))
            self._strict = Strict(document)
            for message in document["components"]["messages"].values():
                self._schemas.setdefault(message["name"], []).append(message["payload"])
        return self._strict


WRITTEN: Final = Written()
"""Of all clients of one test session."""
