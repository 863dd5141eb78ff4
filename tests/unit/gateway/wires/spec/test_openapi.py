"""The OpenAPI document against the code that it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.wires import problem
from gateway.wires.http import query
from gateway.wires.problem import Problem
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.openapi import openapi
from gateway.wires.sse.opening import Resumed
from services.market.position import Position
from tests.schemas import Strict, references, resolve

BOUNDS = Bounds(version="1.2.3", max_symbols=1000, tokens=True, tickets=True)
DOCUMENT = openapi(BOUNDS)
STRICT = Strict(DOCUMENT)
TABLES = {
    "/v1/symbols": query.SYMBOLS_PARAMETERS,
    "/v1/quotes": query.QUOTES_PARAMETERS,
    "/v1/ticks/{symbol}": query.TICKS_PARAMETERS,
    "/v1/candles/{symbol}": query.CANDLES_PARAMETERS,
}


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            yield path, operation


def _bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operation in _operations():
        for status, response in operation["responses"].items():
            for media, body in response.get("content", {}).items():
                yield f"{path} {status} {media}", body


def test_every_reference_leads_somewhere() -> None:
    """Each `$ref` of the document names a part of it."""
    found = list(references(DOCUMENT))

    assert len(found) > 50
    for reference in found:
        assert resolve(DOCUMENT, reference), reference


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in _bodies()])
def test_examples(body: dict[str, Any]) -> None:
    """Every body has an example, which its own schema takes without a field too many."""
    assert STRICT.faults(body["schema"], body["example"]) == []


@pytest.mark.parametrize("path", TABLES)
def test_parameters(path: str) -> None:
    """The parameters of an operation are those that the wire reads, in its order; a token has none."""
    stated = [each["name"] for each in DOCUMENT["paths"][path]["get"]["parameters"] if each["in"] == "query"]

    assert stated == [*TABLES[path], "format"]
    assert {"format", "ticket", "_"} == set(query.EVERYWHERE)


@pytest.mark.parametrize(
    ("path", "name", "below", "most"),
    [
        ("/v1/symbols", "limit", "0", query.MOST_LISTED),
        ("/v1/ticks/{symbol}", "limit", "0", query.MOST_TICKS),
        ("/v1/candles/{symbol}", "limit", "0", query.MOST_CANDLES),
    ],
)
def test_limits(path: str, name: str, below: str, most: int) -> None:
    """The bounds of a number are those at which the wire begins to refuse."""
    (schema,) = [each["schema"] for each in DOCUMENT["paths"][path]["get"]["parameters"] if each["name"] == name]

    assert (schema["minimum"], schema["maximum"]) == (int(below) + 1, most)
    for refused in (below, str(most + 1)):
        with pytest.raises(Problem):
            query.Parameters([(name, refused)], [name]).whole(name, 1, most)


def test_positions() -> None:
    """A position in an example is one to the wire."""
    (schema,) = [
        each["schema"]
        for each in DOCUMENT["paths"]["/v1/ticks/{symbol}"]["get"]["parameters"]
        if each["name"] == "after"
    ]
    for text in ("1795000000000-1041", "0-0"):
        assert STRICT.faults(schema, text) == []
        assert isinstance(query.Parameters([("after", text)], ["after"]).position("after"), Position)
    for text in ("1795000000000", "1-2-3", "-1-2", ""):
        assert STRICT.faults(schema, text)
        with pytest.raises(Problem):
            query.Parameters([("after", text)], ["after"]).position("after")


@pytest.mark.parametrize("kind", problem.TABLE, ids=lambda kind: kind.code)
def test_problems(kind: problem.Kind) -> None:
    """Every kind of problem is a body by the schema, with all that it may say, and has an entry."""
    shown = Problem(kind, "So it is.", "symbols", ["1s", 5], ["AAPL"], 3)
    schema = {"$ref": "#/components/schemas/Problem"}

    assert STRICT.faults(schema, json.loads(shown.body())) == []
    assert {"code": kind.code, "status": kind.status, "title": kind.title} in DOCUMENT["x-problems"]


def test_codes_by_status() -> None:
    """Each answer's closed list has codes of its own status only."""
    statuses = {kind.code: str(kind.status) for kind in problem.TABLE}
    for path, operation in _operations():
        for status, response in operation["responses"].items():
            body = response.get("content", {}).get(problem.CONTENT_TYPE)
            codes = body["schema"]["allOf"][1]["properties"]["code"]["enum"] if body else ()
            assert {statuses[code] for code in codes} <= {status}, path


def test_resumed() -> None:
    """The header of a stream has the values that the wire says."""
    assert DOCUMENT["components"]["headers"]["Tickwire-Resumed"]["schema"]["enum"] == [
        each.value for each in Resumed
    ]


def test_without_tokens() -> None:
    """A gateway that asks for no token says nothing of tokens, and has no tickets."""
    document = openapi(BOUNDS._replace(tokens=False, tickets=False))

    assert "security" not in document
    assert "/v1/ticket" not in document["paths"]
    assert "401" not in document["paths"]["/v1/quotes"]["get"]["responses"]
    assert "401" in DOCUMENT["paths"]["/v1/quotes"]["get"]["responses"]
