"""The page of the wires, as HTML."""

from __future__ import annotations

from html.parser import HTMLParser

from gateway.wires.problem import TABLE
from gateway.wires.spec.asyncapi import asyncapi
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.markup import paragraphs, plain, prose, tag
from gateway.wires.spec.openapi import openapi
from gateway.wires.spec.page import page

BOUNDS = Bounds(version="1.2.3", max_symbols=1000, tokens=True, tickets=True)
OPENAPI, ASYNCAPI = openapi(BOUNDS), asyncapi(BOUNDS)
HTML = page(OPENAPI, ASYNCAPI)


class Reader(HTMLParser):
    """Collects what a page is made of, and whether its elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


READ = Reader()
READ.feed(HTML)


def test_well_formed() -> None:
    """Every element is closed where it should be, and no id stands twice."""
    assert READ.faults == []
    assert READ.open == []
    assert len(READ.ids) == len(set(READ.ids))


def test_nothing_inline() -> None:
    """Nothing of the page needs a policy that allows scripts or inline styles."""
    assert not READ.tags & {"script", "style", "iframe", "img"}
    assert not {name for name in READ.attributes if name.startswith("on") or name == "style"}


def test_links() -> None:
    """Every link within the page leads to an id, and none leads to another host."""
    inner = {link.removeprefix("#") for link in READ.links if link.startswith("#")}

    assert inner - set(READ.ids) == set()
    assert {link for link in READ.links if not link.startswith("#")} == {
        "./",
        "./icon.svg",
        "docs/style.css",
        "v1/openapi.json",
        "v1/asyncapi.json",
    }


def test_problems_have_anchors() -> None:
    """The type of each problem, `/docs#code`, leads to its entry."""
    assert {kind.type.removeprefix("/docs#") for kind in TABLE} <= set(READ.ids)


def test_everything_is_there() -> None:
    """Each operation, message, close code and closed value is on the page."""
    anchors = set(READ.ids)
    for path, item in OPENAPI["paths"].items():
        for operation in item.values():
            assert f"http-{operation['operationId']}" in anchors, path
    for name in ASYNCAPI["channels"]["stream"]["messages"]:
        assert anchors & {f"command-{name}", f"frame-{name}"}, name
    for close in ASYNCAPI["channels"]["stream"]["x-close-codes"]:
        assert f"<code>{close['code']}</code>" in HTML
    for values in ASYNCAPI["x-closed-lists"].values():
        for entry in values:
            assert f"<code>{entry['value']}</code>" in HTML


def test_escaped() -> None:
    """Text is text: what looks like HTML is shown, in prose, code and attributes."""
    assert plain("<b> & c") == "&lt;b&gt; &amp; c"
    assert prose("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
    assert tag("a", plain("x"), href='"><script>') == '<a href="&quot;&gt;&lt;script&gt;">x</a>'
    assert paragraphs("one\n\ntwo") == "<p>one</p><p>two</p>"
