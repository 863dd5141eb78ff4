"""Chapters of the page, and the things that they explain.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from gateway.wires.spec.markup import Html, plain, tag


class Entry(NamedTuple):
    """A heading with an anchor, and what stands below it."""

    anchor: str
    title: Html
    short: str
    """What the table of contents says."""
    body: Html

    def html(self) -> Html:
        """Return the entry as a part of the page."""
        link = tag("a", plain("#"), href=f"#{self.anchor}", class_="anchor", aria_label=f"Link to {self.short}")
        return tag("article", tag("h3", self.title, link), self.body, id=self.anchor)


class Chapter(NamedTuple):
    """A chapter, what stands before its first entry, and its entries."""

    anchor: str
    title: str
    opening: Html
    entries: list[Entry]

    def html(self) -> Html:
        """Return the chapter as a section of the page."""
        entries = (entry.html() for entry in self.entries)
        return tag("section", tag("h2", plain(self.title)), self.opening, *entries, id=self.anchor)
