"""Schemas as tables that people read.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from gateway.wires.native.parse import LARGEST
from gateway.wires.spec.markup import Html, code, joined, plain, prose, table, tag
from gateway.wires.spec.vocabulary import SCHEMAS, Schema

_WIDTH: Final = 88
"""Characters of an example that still stand in one line."""
_INDENT: Final = "  "


def field_table(caption: str, schema: Schema) -> Html:
    """Return the fields of an object."""
    return table(caption, ("Field", "Type", "Meaning"), _rows(schema))


def _rows(schema: Schema) -> Iterator[tuple[Html, Html, Html]]:
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        optional = Html("") if name in required else tag("span", plain("optional"), class_="optional")
        yield joined([code(name), optional], " "), kind(inner), prose(meaning(inner))


def meaning(schema: Schema) -> str:
    """Return what a schema says about itself."""
    return str(schema.get("description", ""))


def kind(schema: Schema) -> Html:
    """Return the type that *schema* allows, in words, with links to types that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return tag("a", plain(name), href=f"#type-{name}")
    if "const" in schema:
        return code(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return joined((code(json.dumps(value).strip('"')) for value in schema["enum"]), " or ")
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return joined(map(kind, schema[word]), " or " if word != "allOf" else ", ")
    return _of_type(schema)


def _of_type(schema: Schema) -> Html:
    names = schema.get("type", "anything")
    names = names if isinstance(names, list) else [names]
    return joined((_one(name, schema) for name in names), " or ")


def _one(name: str, schema: Schema) -> Html:
    match name:
        case "array":
            return joined([plain("list of "), kind(schema.get("items", {}))])
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return joined([plain("per symbol: "), kind(schema["additionalProperties"])])
        case "integer" | "number":
            return plain(f"{name}{_range(schema)}")
        case "string" if "pattern" in schema:
            return joined([plain("string "), code(schema["pattern"])])
        case _:
            return plain(name)


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if most is not None and most != LARGEST:
        return f", {least:,} to {most:,}"
    return f", from {least:,}" if least else ""


def example(value: Any) -> Html:
    """Return an example: JSON in one line, or indented where it is long; text as it is."""
    return tag("pre", tag("code", plain(value if isinstance(value, str) else _json(value))), tabindex="0")


def _json(value: Any, depth: int = 0, used: int = 0) -> str:
    """Return *value* as JSON, *depth* levels deep and behind *used* characters: what fits a line stands in one."""
    line = json.dumps(value, ensure_ascii=False)
    if used + len(line) <= _WIDTH or not isinstance(value, dict | list):
        return line
    margin = _INDENT * (depth + 1)
    names = [f"{json.dumps(name)}: " for name in value] if isinstance(value, dict) else [""] * len(value)
    inner = value.values() if isinstance(value, dict) else value
    lines = [
        f"{margin}{name}{_json(of, depth + 1, len(margin) + len(name))}"
        for name, of in zip(names, inner, strict=True)
    ]
    opened, closed = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opened, ",\n".join(lines), f"{_INDENT * depth}{closed}"])
