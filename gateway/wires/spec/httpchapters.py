"""The chapters about plain HTTP, from the OpenAPI document.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.wires.spec.chapter import Chapter, Entry
from gateway.wires.spec.markup import Html, code, joined, paragraphs, plain, prose, table, tag
from gateway.wires.spec.shapes import example, kind

_METHODS: Final = ("get", "post")


def calls(openapi: Mapping[str, Any]) -> Chapter:
    """Return the chapter about each operation."""
    entries = [
        _call(method, path, item[method])
        for path, item in openapi["paths"].items()
        for method in _METHODS
        if method in item
    ]
    opening = tag(
        "p",
        prose("Every `GET` may be asked again with `If-None-Match`.  What can go wrong is listed as "),
        tag("a", plain("problems"), href="#problems"),
        plain("."),
    )
    return Chapter("http", "HTTP", opening, entries)


def _call(method: str, path: str, operation: Mapping[str, Any]) -> Entry:
    title = joined([tag("span", plain(method.upper()), class_="method"), code(path)], " ")
    asked = operation.get("parameters", ())
    body = [paragraphs(f"{operation['summary']}.  {operation['description']}")]
    if asked:
        body.append(table(f"Parameters of {path}", ("Parameter", "Type", "Meaning"), map(_parameter, asked)))
    body.append(table(f"Answers of {path}", ("Status", "Body", "Meaning"), _answers(operation["responses"])))
    body.extend(_examples(operation["responses"]))
    return Entry(f"http-{operation['operationId']}", title, path.removeprefix("/v1/"), joined(body))


def _parameter(parameter: Mapping[str, Any]) -> tuple[Html, Html, Html]:
    notes = [plain(f"in {parameter['in']}")] if parameter["in"] != "query" else []
    notes += [] if parameter["required"] else [plain("optional")]
    small = tag("span", joined(notes, ", "), class_="note")
    schema = parameter["schema"]
    usual = f"  Usually {schema['default']}." if "default" in schema else ""
    return joined([code(parameter["name"]), small], " "), kind(schema), prose(parameter["description"] + usual)


def _answers(responses: Mapping[str, Any]) -> Iterator[tuple[Html, Html, Html]]:
    for status, response in responses.items():
        bodies = [_body(media, body["schema"]) for media, body in response.get("content", {}).items()]
        said = prose(response["description"])
        names = joined(map(code, response.get("headers", {})), ", ")
        more = tag("span", plain(" Headers: "), names, plain("."), class_="note") if names else Html("")
        yield code(status), joined(bodies, "<br>"), joined([said, more])


def _body(media: str, schema: Mapping[str, Any]) -> Html:
    if "allOf" in schema:
        codes = schema["allOf"][1]["properties"]["code"]["enum"]
        return joined((tag("a", code(name), href=f"#{name}") for name in codes), " ")
    named = joined([plain(" "), kind(dict(schema))]) if "$ref" in schema else Html("")
    return joined([tag("span", plain(media), class_="note"), named])


def _examples(responses: Mapping[str, Any]) -> Iterator[Html]:
    for status, response in responses.items():
        if status.startswith("2"):
            for media, body in response.get("content", {}).items():
                if "example" in body:
                    yield tag("p", prose(f"An answer as `{media}`:"), class_="note")
                    yield example(body["example"])


def problems(openapi: Mapping[str, Any]) -> Chapter:
    """Return the chapter about everything that can go wrong; a problem's `type` leads to its row."""
    rows = [
        (tag("code", plain(entry["code"]), id=entry["code"]), plain(str(entry["status"])), prose(entry["title"]))
        for entry in openapi["x-problems"]
    ]
    opening = paragraphs(
        "An error's body is `application/problem+json` (RFC 9457), its `code` one of these; its `type` leads here."
    )
    listed = table("Problems", ("Code", "Status", "Meaning"), rows)
    return Chapter("problems", "Problems", joined([opening, listed]), [])
