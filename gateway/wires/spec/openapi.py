"""The OpenAPI 3.1 document: what is asked and answered over plain HTTP.  Pure."""

from __future__ import annotations

from typing import Any, Final

from gateway.wires import problem
from gateway.wires.problem import Kind
from gateway.wires.spec import asyncapi, market, operations, streamcall, tables
from gateway.wires.spec.answers import headers, problem_schema
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.vocabulary import Schema

VERSION: Final = "3.1.0"
"""Of OpenAPI."""
_DESCRIPTION: Final = """\
The symbols, their last ticks, what came after a position, and candles: for polling, notebooks and spreadsheets.

Every answer has an `ETag`: ask again with `If-None-Match`, and what has not changed costs one header.  Every \
error is `application/problem+json` with a `code` of a closed list."""
_LICENSE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def openapi(bounds: Bounds) -> dict[str, Any]:
    """Return the document of a gateway with these *bounds*."""
    return {
        "openapi": VERSION,
        "info": {
            "title": "Tickwire",
            "version": bounds.version,
            "description": _DESCRIPTION,
            "license": _LICENSE,
        },
        "servers": [{"url": "/", "description": "This gateway; they are all the same."}],
        **({"security": [{name: []} for name in _security(bounds)]} if bounds.tokens else {}),
        "paths": _paths(bounds),
        "components": {"schemas": schemas(), "headers": headers(), "securitySchemes": _security(bounds)},
        "x-problems": [_kind(kind) for kind in problem.TABLE],
    }


def schemas() -> dict[str, Schema]:
    """Return what answers are made of."""
    return {"Tick": market.tick(), "Day": market.day(), **tables.schemas(), "Problem": problem_schema()}


def _paths(bounds: Bounds) -> dict[str, Any]:
    paths = {
        "/v1/symbols": {"get": operations.symbols().operation(bounds)},
        "/v1/quotes": {"get": operations.quotes().operation(bounds)},
        "/v1/ticks/{symbol}": {"get": operations.ticks().operation(bounds)},
        "/v1/candles/{symbol}": {"get": operations.candles().operation(bounds)},
        streamcall.PATH: {"get": streamcall.stream(bounds)},
        "/v1/openapi.json": {"get": operations.document("openapi", "This document", VERSION)},
        "/v1/asyncapi.json": {
            "get": operations.document("asyncapi", "The document of the streams", asyncapi.VERSION)
        },
    }
    return {**paths, "/v1/ticket": {"post": operations.ticket()}} if bounds.tickets else paths


def _security(bounds: Bounds) -> dict[str, Any]:
    bearer = {"type": "http", "scheme": "bearer", "description": "A token or an API key."}
    ticket = {
        "type": "apiKey",
        "name": "ticket",
        "in": "query",
        "description": "A ticket of `POST /v1/ticket`: good for one request within 30 s.",
    }
    return {"bearer": bearer, "ticket": ticket} if bounds.tickets else {"bearer": bearer}


def _kind(kind: Kind) -> dict[str, Any]:
    return {"code": kind.code, "status": kind.status, "title": kind.title}
