"""Answers of the HTTP wire: bodies, headers, and problems with the closed list of their codes.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from gateway.wires import problem
from gateway.wires.problem import CONTENT_TYPE, Kind, Problem
from gateway.wires.spec.vocabulary import Schema, choice, fields, integer, listed, ref, symbol, text

JSON: Final = "application/json"
CSV: Final = "text/csv"

_HEADERS: Final[Mapping[str, Schema]] = {
    "ETag": text("Names this answer; send it as `If-None-Match` and an unchanged one is 304, without a body."),
    "Link": text("Where the next page is, where there is one."),
    "Cache-Control": text("How long the answer may be kept."),
    "Retry-After": integer("Seconds after which to ask again."),
    "WWW-Authenticate": text("How to show a token.", const="Bearer"),
    "Tickwire-Resumed": text(
        "Whether the stream goes on where `Last-Event-ID` says: `all` symbols, with a `gap`, or `none`.",
        enum=["all", "gap", "none"],
    ),
}


def headers() -> dict[str, Any]:
    """Return the headers that answers may have, as components."""
    return {
        name: {"description": schema["description"], "schema": {**schema, "description": schema["description"]}}
        for name, schema in _HEADERS.items()
    }


def stated(*names: str) -> dict[str, Any]:
    """Return the headers *names* of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def content(media: str, schema: Schema, example: Any) -> dict[str, Any]:
    """Return one kind of body."""
    return {media: {"schema": schema, "example": example}}


def found(description: str, body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the answer to a request that can be asked again cheaply."""
    return {
        "200": {"description": description, "headers": stated("ETag", "Cache-Control", *names), "content": body},
        "304": {
            "description": "Nothing has changed since the answer that `If-None-Match` names.",
            "headers": stated("ETag", "Cache-Control"),
        },
    }


def problems(kinds: Sequence[Kind]) -> dict[str, Any]:
    """Return the answers with one of *kinds*, by their status."""
    ordered = sorted(kinds, key=attrgetter("status"))
    return {str(status): _problem(list(group)) for status, group in groupby(ordered, attrgetter("status"))}


def _problem(kinds: Sequence[Kind]) -> dict[str, Any]:
    first = kinds[0]
    shown = Problem(first, f"{first.title}.")
    codes = choice([kind.code for kind in kinds], "Which of the closed list.")
    schema = {"allOf": [ref("Problem"), {"type": "object", "properties": {"code": codes}}]}
    extra = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}.get(first.status, ())
    return {
        "description": "; ".join(dict.fromkeys(kind.title for kind in kinds)) + ".",
        "headers": stated(*extra),
        "content": content(CONTENT_TYPE, schema, _example(shown)),
    }


def _example(shown: Problem) -> dict[str, Any]:
    kind = shown.kind
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": shown.detail,
    }


def problem_schema() -> Schema:
    """Return the body of every error."""
    return fields(
        {
            "type": text("Where this kind of problem is explained.", format="uri-reference"),
            "title": text("What went wrong, the same words for every problem of its kind."),
            "status": integer("The HTTP status.", least=400, most=599),
            "code": choice([kind.code for kind in problem.TABLE], "For programs: a closed list."),
            "detail": text("What went wrong here, for people; may change."),
            "parameter": text("Which parameter is wrong."),
            "allowed": {
                "description": "What would be right: values, or a sentence or pattern.",
                "anyOf": [
                    {"type": "string"},
                    listed({"type": ["string", "integer"]}, "The values that are allowed."),
                ],
            },
            "symbols": listed(symbol(), "The symbols that are unknown or not entitled."),
            "retry_after_s": integer("Seconds after which to ask again."),
        },
        "An error by RFC 9457.",
        optional=("parameter", "allowed", "symbols", "retry_after_s"),
    )
