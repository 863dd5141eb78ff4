"""Parameters of the HTTP wires.  Pure."""

from __future__ import annotations

from typing import Any

from gateway.wires.spec.vocabulary import Schema, choice, integer, symbol, text


def query(name: str, schema: Schema, *, required: bool = False, example: Any = None) -> dict[str, Any]:
    """Return a parameter of the query."""
    return _parameter("query", name, schema, required=required, example=example)


def path(name: str, schema: Schema, *, example: Any) -> dict[str, Any]:
    """Return a part of the path."""
    return _parameter("path", name, schema, required=True, example=example)


def header(name: str, schema: Schema, *, example: Any = None) -> dict[str, Any]:
    """Return a header of the request."""
    return _parameter("header", name, schema, required=False, example=example)


def several(name: str, meaning: str, *, most: int, required: bool = True) -> dict[str, Any]:
    """Return a list of symbols in the query, with commas between."""
    schema = {"type": "array", "items": symbol(), "minItems": 1, "maxItems": most, "description": meaning}
    parameter = query(name, schema, required=required, example=["AAPL", "MSFT"])
    return {**parameter, "style": "form", "explode": False}


def one_symbol() -> dict[str, Any]:
    """Return the symbol in a path."""
    return path("symbol", symbol(), example="AAPL")


def limit(meaning: str, *, most: int, usual: int) -> dict[str, Any]:
    """Return how many entries are wanted."""
    return query("limit", {**integer(meaning, least=1, most=most), "default": usual}, example=usual)


def form() -> dict[str, Any]:
    """Return the wish for a table."""
    return query("format", choice(("json", "csv"), "What to answer with; goes before `Accept`."))


def if_none_match() -> dict[str, Any]:
    """Return the name of the answer that a client has."""
    return header("If-None-Match", text("The `ETag` of the answer that you have."))


def _parameter(where: str, name: str, schema: Schema, *, required: bool, example: Any) -> dict[str, Any]:
    described = {"name": name, "in": where, "required": required, "description": schema["description"]}
    shown = {} if example is None else {"example": example}
    return {**described, "schema": {k: v for k, v in schema.items() if k != "description"}, **shown}
