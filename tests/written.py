"""What gateways say in tests, against the AsyncAPI document that they would serve."""

from __future__ import annotations

from collections import Counter
from typing import Final

import orjson
from jsonschema.protocols import Validator

from gateway.settings import GatewaySettings
from gateway.wires.spec.asyncapi import asyncapi
from gateway.wires.spec.bounds import bounds
from tests.schemas import Strict, faults

MOST: Final = 5
"""Frames of each op that are looked at, so that no client of a busy market waits for it."""
BYTES: Final = 8_192
"""Longest frame that is looked at: a thousand ticks would take a second."""


class Written:
    """Looks at the first frames of each op."""

    def __init__(self, most: int = MOST) -> None:
        self.seen: Counter[str] = Counter()
        self._most = most
        self._validators: dict[str, list[Validator]] = {}

    def faults(self, text: str | bytes) -> list[str]:
        """Return what is wrong with a frame or command, by every message of its op; nothing: one of them is it."""
        if len(text) > BYTES:
            return []
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            return []  # what is broken on purpose on its way is not the gateway's
        op = said.get("op", "")
        self.seen[op] += 1
        if self.seen[op] > self._most:
            return []
        found = [faults(validator, said) for validator in self._read().get(op, ())]
        if not found:
            return [f"no message has the op {op}"]
        return [] if [] in found else [f"{op}: {fault}" for each in found for fault in each]

    def _read(self) -> dict[str, list[Validator]]:
        if not self._validators:
            document = asyncapi(bounds(GatewaySettings(), "0"))
            strict = Strict(document)
            for message in document["components"]["messages"].values():
                self._validators.setdefault(message["name"], []).append(strict.validator(message["payload"]))
        return self._validators


WRITTEN: Final = Written()
"""Of all clients of one test session."""
