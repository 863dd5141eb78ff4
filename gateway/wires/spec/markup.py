"""HTML as values: text is escaped where it comes in, so that nothing has to remember it.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NewType

Html = NewType("Html", str)
"""Text that is HTML already."""

_CODE: Final = re.compile(r"`([^`]+)`")
_VOID: Final = frozenset({"meta", "link", "br"})


def tag(element: str, *inner: Html, **attributes: str) -> Html:
    """Return an element; `class_` loses its underscore, other underscores of attributes become hyphens."""
    stated = "".join(f' {_attribute(key)}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{element}{stated}>" + ("" if element in _VOID else f"{''.join(inner)}</{element}>"))


def plain(text: str) -> Html:
    """Return *text* as it is."""
    return Html(escape(text, quote=False))


def code(text: str) -> Html:
    """Return *text* as code."""
    return tag("code", plain(text))


def prose(text: str) -> Html:
    """Return *text* with its `backticks` as code."""
    return Html(_CODE.sub(r"<code>\1</code>", escape(text, quote=False)))


def paragraphs(text: str) -> Html:
    """Return *text*, whose paragraphs have an empty line between."""
    return joined(tag("p", prose(part)) for part in text.split("\n\n") if part.strip())


def joined(parts: Iterable[Html], between: str = "") -> Html:
    """Return *parts* in a row, with the HTML *between*."""
    return Html(between.join(parts))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Html]]) -> Html:
    """Return a table that scrolls by itself where it is wider than the page; the first cell names its row."""
    lines = [tag("tr", tag("th", first, scope="row"), *_cells(head[1:], rest)) for first, *rest in rows]
    names = tag("tr", *(tag("th", plain(name), scope="col") for name in head))
    whole = tag("table", tag("caption", plain(caption)), tag("thead", names), tag("tbody", *lines))
    return tag("div", whole, class_="wide", tabindex="0", role="group", aria_label=caption)


def _cells(names: Sequence[str], cells: Sequence[Html]) -> list[Html]:
    """Return the other cells of a row; on a phone each says what it is."""
    return [tag("td", cell, data_label=name) for name, cell in zip(names, cells, strict=True)]


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
