"""The words that schemas are written in.  Pure.

JSON Schema as far as draft 07 (AsyncAPI 3.0) and 2020-12 (OpenAPI 3.1) agree: no `$ref` has a sibling, since draft
07 ignores it, and no array is described place by place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from gateway.wires.native.parse import LARGEST
from services.market.symbol import PATTERN

Schema = dict[str, Any]
"""A JSON Schema."""

SCHEMAS: Final = "#/components/schemas/"
"""Where both documents keep what is used more than once."""


def integer(meaning: str, *, least: int = 0, most: int = LARGEST) -> Schema:
    """Return a whole number from *least* to *most*."""
    return {"type": "integer", "minimum": least, "maximum": most, "description": meaning}


def number(meaning: str, *, least: float = 0, most: float | None = None) -> Schema:
    """Return a number."""
    bounds = {"minimum": least} if most is None else {"minimum": least, "maximum": most}
    return {"type": "number", **bounds, "description": meaning}


def text(meaning: str, **more: Any) -> Schema:
    """Return a string."""
    return {"type": "string", **more, "description": meaning}


def truth(meaning: str, **more: Any) -> Schema:
    """Return a boolean."""
    return {"type": "boolean", **more, "description": meaning}


def constant(value: str) -> Schema:
    """Return the one *value*."""
    return {"type": "string", "const": value}


def choice(values: Iterable[str], meaning: str) -> Schema:
    """Return one of *values*: a closed list."""
    return {"type": "string", "enum": [str(value) for value in values], "description": meaning}


def nothing(meaning: str) -> Schema:
    """Return null."""
    return {"type": "null", "description": meaning}


def nullable(schema: Schema) -> Schema:
    """Return *schema*, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    closed = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **closed}


def symbol(meaning: str = "The symbol.") -> Schema:
    """Return a symbol."""
    return text(meaning, pattern=PATTERN)


def moment(meaning: str) -> Schema:
    """Return a time."""
    return integer(f"{meaning}  Microseconds since 1970 UTC.", least=0)


def price(meaning: str) -> Schema:
    """Return a price."""
    return number(f"{meaning}  With the symbol's decimals.")


def epoch(meaning: str = "Names one run of the producer; a later run has a larger one.") -> Schema:
    """Return an epoch."""
    return integer(meaning, least=1)


def ref(name: str) -> Schema:
    """Return the schema *name* of the document's components."""
    return {"$ref": SCHEMAS + name}


def listed(items: Schema, meaning: str, **more: Any) -> Schema:
    """Return a list of *items*."""
    return {"type": "array", "items": items, **more, "description": meaning}


def mapped(values: Schema, meaning: str, **more: Any) -> Schema:
    """Return an object whose names are symbols."""
    return {
        "type": "object",
        "propertyNames": {"pattern": PATTERN},
        "additionalProperties": values,
        **more,
        "description": meaning,
    }


def fields(
    properties: Mapping[str, Schema], meaning: str = "", *, optional: Collection[str] = (), **more: Any
) -> Schema:
    """Return an object with *properties*, all of them there but those that are *optional*.

    Others may be there: a reader ignores what it does not know.
    """
    said = {"description": meaning} if meaning else {}
    required = [name for name in properties if name not in optional]
    return {"type": "object", **said, "required": required, "properties": dict(properties), **more}
