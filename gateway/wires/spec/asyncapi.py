"""The AsyncAPI 3.0 document: the native wire, and the stream of server-sent events.  Pure.

Schemas, limits and closed lists are the code's; the examples of frames are what the wire's encoder says.  The
document is written from the gateway's side: it *receives* commands and *sends* frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.wires.spec import commands, events, frames, market
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.closedlists import close_codes, closed_lists
from gateway.wires.spec.message import Message
from gateway.wires.spec.vocabulary import Schema, text

VERSION: Final = "3.0.0"
"""Of AsyncAPI."""
STREAM: Final = "/v1/stream"
"""The address of the native wire."""
SSE: Final = "/v1/sse"
"""The address of the events."""
SUBPROTOCOL: Final = "tickwire.v1"

_UNASKED: Final = ("welcome", "authorized", "status", "heartbeat", "reconnect", "unsubscribed")
_MARKET: Final = ("snapshot", "day", "ticks", "candles", "gap", "epoch", "session")
_DESCRIPTION: Final = """\
A client follows symbols and gets each of their ticks once, in order, or is told exactly which ones it did not get.

`/v1/stream` is JSON text over a WebSocket: send a command, read frames.  `/v1/sse` is the same feed as \
server-sent events, for whatever has no WebSocket.

Client and gateway each keep one cursor per symbol: the last position accounted for.  A position is an epoch and \
a seq; it is the same on every gateway, so that a client resumes anywhere."""
_SSE: Final = """\
`text/event-stream`: each event's name is the `op` of its message, its data the message itself.  Events that move \
a cursor carry an id with the positions of all symbols; send the last one as `Last-Event-ID`, or in the query as \
`last_event_id`, to go on at any gateway.  A comment comes after 15 s of silence.

How to ask for it: `GET /v1/sse`, under HTTP."""
_LICENSE: Final = {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}


def asyncapi(bounds: Bounds) -> dict[str, Any]:
    """Return the document of a gateway with these *bounds*."""
    said, heard, streamed = commands.commands(bounds), frames.frames(), events.events()
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Tickwire",
            "version": bounds.version,
            "description": _DESCRIPTION,
            "license": _LICENSE,
        },
        "defaultContentType": "application/json",
        "servers": {"gateway": _server(bounds, "ws"), "http": _server(bounds, "http")},
        "channels": {"stream": _stream([*said, *heard]), "sse": _sse(streamed)},
        "operations": {**_operations(said, heard), "events": _events(streamed)},
        "components": {
            "messages": {message.name: _message(message) for message in (*said, *heard, *streamed)},
            "schemas": schemas(),
            "securitySchemes": _security(bounds),
        },
        "x-closed-lists": closed_lists(),
    }


def schemas() -> dict[str, Schema]:
    """Return what more than one message uses."""
    return {
        "Tick": market.tick(),
        "Position": market.position(),
        "Day": market.day(),
        "Candle": market.candle(),
        "Limits": frames.limits(),
        "Accepted": frames.accepted(),
        "Subscription": frames.subscription(),
    }


def _server(bounds: Bounds, protocol: str) -> dict[str, Any]:
    asked = {"security": [_at(f"components/securitySchemes/{name}") for name in _security(bounds)]}
    return {
        "host": "{host}",
        "protocol": protocol,
        "description": f"Any gateway; they are all the same.  Behind TLS: `{protocol}s`.",
        "variables": {"host": {"default": "localhost:8080", "description": "Host and port of a gateway."}},
        **(asked if bounds.tokens else {}),
    }


def _security(bounds: Bounds) -> dict[str, Any]:
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "A token or an API key: `Authorization: Bearer …` in the handshake, the subprotocol "
        "`bearer.<token>` beside `tickwire.v1`, or the command `auth` within 5 s.",
    }
    ticket = {
        "type": "httpApiKey",
        "name": "ticket",
        "in": "query",
        "description": "A ticket of `POST /v1/ticket`: opens one connection within 30 s.",
    }
    return {"bearer": bearer, "ticket": ticket} if bounds.tickets else {"bearer": bearer}


def _stream(messages: Sequence[Message]) -> dict[str, Any]:
    return {
        "address": STREAM,
        "title": "The native wire",
        "description": f"JSON text frames; subprotocol `{SUBPROTOCOL}`, optional.  Only the frames that say so "
        "move a cursor; fields that a reader does not know are ignored.",
        "servers": [_at("servers/gateway")],
        "messages": {message.name: _at(f"components/messages/{message.name}") for message in messages},
        "bindings": {"ws": {"method": "GET", "headers": _headers(), "bindingVersion": "0.1.0"}},
        "x-close-codes": close_codes(),
    }


def _sse(streamed: Sequence[Message]) -> dict[str, Any]:
    """Return the channel of server-sent events; what asks for it is in the OpenAPI document."""
    names = [*events.FRAMES, *(message.name for message in streamed)]
    return {
        "address": SSE,
        "title": "Server-sent events",
        "description": _SSE,
        "servers": [_at("servers/http")],
        "messages": {name: _at(f"components/messages/{name}") for name in names},
        "x-events-with-id": list(events.MOVING),
    }


def _events(streamed: Sequence[Message]) -> dict[str, Any]:
    names = [*events.FRAMES, *(message.name for message in streamed)]
    return {
        "action": "send",
        "channel": _at("channels/sse"),
        "summary": "What the gateway says on a stream of events.",
        "messages": [_at(f"channels/sse/messages/{name}") for name in names],
    }


def _headers() -> Schema:
    offered = text("Offer it, and a refusal comes as a close code, which a browser can read.", enum=[SUBPROTOCOL])
    return {"type": "object", "properties": {"Sec-WebSocket-Protocol": offered}}


def _operations(said: Sequence[Message], heard: Sequence[Message]) -> dict[str, Any]:
    operations = {message.name: _command(message) for message in said}
    for name, summary, chosen in (
        ("connection", "What the gateway says of itself and of the connection, unasked.", _UNASKED),
        ("market", "What the gateway says of the symbols that a client follows.", _MARKET),
    ):
        operations[name] = {
            "action": "send",
            "channel": _at("channels/stream"),
            "summary": summary,
            "messages": [_in_stream(message.name) for message in heard if message.name in chosen],
        }
    return operations


def _command(message: Message) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": _at("channels/stream"),
        "summary": _first_sentence(message.meaning),
        "messages": [_in_stream(message.name)],
        "reply": {
            "channel": _at("channels/stream"),
            "messages": [_in_stream(name) for name in message.answers],
        },
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "name": message.op,
        "title": message.title,
        "summary": _first_sentence(message.meaning),
        "description": message.meaning,
        "payload": message.schema,
        "examples": [{"payload": example} for example in message.examples],
    }


def _in_stream(name: str) -> dict[str, str]:
    return _at(f"channels/stream/messages/{name}")


def _at(path: str) -> dict[str, str]:
    return {"$ref": f"#/{path}"}


def _first_sentence(sentences: str) -> str:
    return sentences.split(".  ", maxsplit=1)[0].rstrip(".") + "."
