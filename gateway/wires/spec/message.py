"""One message of a wire: its name, what it means, its schema, and examples of it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.wires.spec.vocabulary import Schema, constant, fields


class Message(NamedTuple):
    """A command, a frame or an event."""

    name: str
    """Its `op` or event, where that is one word for one shape."""
    meaning: str
    """First sentence: a summary."""
    schema: Schema
    examples: Sequence[Any]
    answers: Sequence[str] = ()
    """Names of the messages that answer it."""

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name.replace("_", " ")

    @property
    def op(self) -> str:
        """The word that the wire says for it."""
        stated = self.schema.get("properties", {}).get("op")
        return str(stated["const"]) if stated else self.name.removeprefix("sse_")


def message(
    op: str,
    meaning: str,
    properties: Mapping[str, Schema],
    examples: Sequence[Any],
    *,
    optional: Sequence[str] = (),
    answers: Sequence[str] = (),
    name: str | None = None,
) -> Message:
    """Return a message of the native wire, whose first field is `op`."""
    schema = fields({"op": constant(op), **properties}, optional=optional)
    return Message(name or op, meaning, schema, examples, answers)
