"""The chapters about the streams, from the AsyncAPI document.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.wires.spec.chapter import Chapter, Entry
from gateway.wires.spec.markup import Html, code, joined, paragraphs, plain, prose, table, tag
from gateway.wires.spec.shapes import example, field_table

Document = Mapping[str, Any]


def commands(asyncapi: Document) -> Chapter:
    """Return the chapter about what a client may say on the native wire."""
    channel = asyncapi["channels"]["stream"]
    entries = [
        _entry("command", name, asyncapi, _answered(operation))
        for operation in _operations(asyncapi, "receive")
        for name in _names(operation["messages"])
    ]
    opening = joined([tag("p", code(channel["address"])), paragraphs(channel["description"])])
    return Chapter("commands", "WebSocket: commands", opening, entries)


def frames(asyncapi: Document) -> Chapter:
    """Return the chapter about what the gateway says on the native wire."""
    heard = {name for operation in _operations(asyncapi, "receive") for name in _names(operation["messages"])}
    names = [name for name in asyncapi["channels"]["stream"]["messages"] if name not in heard]
    opening = tag("p", prose("Each frame is a JSON object whose first field is `op`."))
    return Chapter("frames", "WebSocket: frames", opening, [_entry("frame", name, asyncapi) for name in names])


def events(asyncapi: Document) -> Iterator[Chapter]:
    """Yield the chapter about each other stream."""
    for name, channel in asyncapi["channels"].items():
        if name != "stream":
            opening = joined([tag("p", code(channel["address"])), paragraphs(channel["description"])])
            entries = [_entry(name, inner, asyncapi) for inner in channel["messages"]]
            yield Chapter(name, channel["title"], opening, entries)


def closes(asyncapi: Document) -> Chapter:
    """Return the chapter about the ends of a WebSocket."""
    codes = asyncapi["channels"]["stream"]["x-close-codes"]
    head = ("Code", "Reason", "Come back", "When")
    said = table("What the gateway decides to say", head, (_close(c) for c in codes if c["said_by_gateway"]))
    seen = table("What else may be seen", head, (_close(c) for c in codes if not c["said_by_gateway"]))
    opening = paragraphs("Where it says no, coming back with the same behaviour is refused again.")
    return Chapter("close-codes", "WebSocket: close codes", joined([opening, said, seen]), [])


def closed_lists(asyncapi: Document) -> Chapter:
    """Return the chapter about the words that programs may compare."""
    entries = []
    for name, values in asyncapi["x-closed-lists"].items():
        rows = ((code(entry["value"]), prose(entry["meaning"])) for entry in values)
        body = table(name.capitalize(), ("Value", "Meaning"), rows)
        entries.append(Entry(f"list-{name.replace(' ', '-')}", plain(name.capitalize()), name, body))
    return Chapter("lists", "Closed lists", paragraphs("No other value comes in this version."), entries)


def _entry(kind: str, name: str, asyncapi: Document, after: Html | None = None) -> Entry:
    message = asyncapi["components"]["messages"][name]
    body = [paragraphs(message["description"]), field_table(f"Fields of {message['title']}", message["payload"])]
    body += [example(shown["payload"]) for shown in message["examples"]]
    if after is not None:
        body.append(after)
    return Entry(f"{kind}-{name}", code(message["title"]), message["title"], joined(body))


def _answered(operation: Document) -> Html:
    links = (tag("a", code(name), href=f"#frame-{name}") for name in _names(operation["reply"]["messages"]))
    return tag("p", plain("Answered by "), joined(links, " or "), plain("."))


def _close(close: Document) -> tuple[Html, Html, Html, Html]:
    return (
        code(str(close["code"])),
        plain(close["reason"]),
        plain("yes" if close["reconnect"] else "no"),
        prose(close["when"]),
    )


def _operations(asyncapi: Document, action: str) -> Iterator[Document]:
    return (operation for operation in asyncapi["operations"].values() if operation["action"] == action)


def _names(references: Iterable[Mapping[str, str]]) -> list[str]:
    return [reference["$ref"].rpartition("/")[2] for reference in references]
