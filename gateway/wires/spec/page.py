"""The page for people at `/docs`: both documents as one HTML page.  Pure.

Without a script, and without anything from elsewhere: Swagger UI and its like need inline styles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.wires.spec.chapter import Chapter, Entry
from gateway.wires.spec.httpchapters import calls, problems
from gateway.wires.spec.markup import Html, code, paragraphs, plain, prose, tag
from gateway.wires.spec.shapes import example, field_table, meaning
from gateway.wires.spec.streamchapters import closed_lists, closes, commands, events, frames
from gateway.wires.spec.vocabulary import Schema

_LIVE: Final = """\
$ curl -N 'http://HOST/v1/sse?symbols=AAPL'

const stream = new WebSocket("wss://HOST/v1/stream", "tickwire.v1");
stream.onmessage = ({ data }) => console.log(JSON.parse(data));
stream.onopen = () => stream.send('{"op":"subscribe","id":1,"symbols":["AAPL"]}');"""
_PLAIN: Final = """\
$ curl 'http://HOST/v1/quotes?symbols=AAPL,MSFT'
$ curl 'http://HOST/v1/candles/AAPL?interval=1m&format=csv'"""
STYLE: Final = "docs/style.css"
"""Where the page looks for its style, seen from `/docs`."""


def page(openapi: Mapping[str, Any], asyncapi: Mapping[str, Any]) -> str:
    """Return the page."""
    types = {**asyncapi["components"]["schemas"], **openapi["components"]["schemas"]}
    chapters = [
        _start(openapi, asyncapi),
        calls(openapi),
        commands(asyncapi),
        frames(asyncapi),
        *events(asyncapi),
        closes(asyncapi),
        closed_lists(asyncapi),
        problems(openapi),
        _types(types),
    ]
    body = tag(
        "body",
        tag("a", plain("Skip to the content"), href="#content", class_="skip"),
        _header(openapi["info"]["version"]),
        tag(
            "div",
            _contents(chapters),
            tag("main", *(chapter.html() for chapter in chapters), id="content", tabindex="-1"),
            class_="columns",
        ),
    )
    return f"<!doctype html>\n{tag('html', _head(), body, lang='en')}\n"


def _head() -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", plain("Tickwire: the wires")),
        tag("link", rel="icon", href="./icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href=STYLE),
    )


def _header(version: str) -> Html:
    links = (("./", "Live page"), ("v1/openapi.json", "OpenAPI 3.1"), ("v1/asyncapi.json", "AsyncAPI 3.0"))
    return tag(
        "header",
        tag("h1", plain("Tickwire "), tag("small", plain(f"wires, version {version}"))),
        tag("nav", *(tag("a", plain(name), href=href) for href, name in links), aria_label="Elsewhere"),
    )


def _contents(chapters: Sequence[Chapter]) -> Html:
    items = []
    for chapter in chapters:
        names = [tag("li", tag("a", prose(entry.short), href=f"#{entry.anchor}")) for entry in chapter.entries]
        inner = tag("ul", *names) if names else Html("")
        items.append(tag("li", tag("a", plain(chapter.title), href=f"#{chapter.anchor}"), inner))
    return tag("nav", tag("ul", *items), aria_label="Contents", class_="contents")


def _start(openapi: Mapping[str, Any], asyncapi: Mapping[str, Any]) -> Chapter:
    ways = {
        **openapi["components"]["securitySchemes"],
        **asyncapi["components"]["securitySchemes"],
    }
    asked = "security" in openapi
    first = "This gateway asks for a token." if asked else "This gateway asks nobody for a token."
    rows = [tag("li", prose(f"`{name}`: {way['description']}")) for name, way in ways.items()] if asked else []
    opening = [
        paragraphs(asyncapi["info"]["description"]),
        example(_LIVE),
        tag("h3", plain("Plain HTTP")),
        paragraphs(openapi["info"]["description"]),
        example(_PLAIN),
        tag("h3", plain("Tokens")),
        tag("p", plain(first)),
        *([tag("ul", *rows)] if rows else []),
    ]
    return Chapter("start", "Start", Html("".join(opening)), [])


def _types(types: Mapping[str, Schema]) -> Chapter:
    entries = [
        Entry(
            f"type-{name}",
            code(name),
            name,
            Html(paragraphs(meaning(schema)) + field_table(f"Fields of {name}", schema)),
        )
        for name, schema in types.items()
    ]
    return Chapter("types", "Types", tag("p", plain("What more than one message or answer has.")), entries)
