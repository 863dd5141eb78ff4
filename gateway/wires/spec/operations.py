"""The operations of the HTTP wires, one function for each.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.wires import problem
from gateway.wires.problem import Kind
from gateway.wires.spec import parameters, tables
from gateway.wires.spec.answers import CSV, JSON, content, found, problems, stated
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.samples import AAPL, APPLE, EPOCH, NOW
from gateway.wires.spec.vocabulary import Schema, choice, fields, integer, ref, symbol, text
from services.broker.tickets import TICKET_S

Operation = dict[str, Any]

_DOOR: Final = (problem.TOKEN_IN_URL, problem.ORIGIN, problem.TOO_FAST, problem.CROWDED, problem.BUSY)
"""What may happen to any request."""
_TOKEN: Final = (problem.NO_TOKEN, problem.TOKEN_REFUSED, problem.TOKEN_EXPIRED)
"""What may happen to any request where a token is asked for."""
_ENTITLED: Final = (problem.NOT_ENTITLED, problem.DELAYED_UNAVAILABLE)


def symbols(bounds: Bounds) -> Operation:
    """Return `GET /v1/symbols`."""
    example = {"symbols": [tables.INSTRUMENT], "next": None}
    return _operation(
        bounds,
        "symbols",
        "The directory of symbols",
        "All symbols, or those that `prefix` or `q` finds, in rising order.",
        [
            parameters.query("prefix", text("Beginning of the symbol.", maxLength=16), example="AA"),
            parameters.query("q", text("Part of the symbol or of the name.", maxLength=64), example="apple"),
            parameters.limit("Most symbols in the answer.", most=1000, usual=100),
            parameters.query("after", symbol("Go on after this symbol: `next` of the answer before.")),
        ],
        _table("A part of the directory.", "Directory", example, "symbol,name\nAAPL,Apple Inc.\n"),
        (problem.FEED_UNAVAILABLE,),
    )


def quotes(bounds: Bounds) -> Operation:
    """Return `GET /v1/quotes`."""
    example = {"quotes": {AAPL: tables.QUOTE}, "missing": {}}
    return _operation(
        bounds,
        "quotes",
        "The newest tick of some symbols",
        "With the day's figures where history gave them.",
        [parameters.several("symbols", "Which symbols.", most=100)],
        _table("The newest ticks.", "Quotes", example, "symbol,price\nAAPL,268.47\n"),
        (problem.MISSING_PARAMETER, problem.TOO_MANY_SYMBOLS, problem.UNKNOWN_SYMBOL, *_ENTITLED),
    )


def ticks(bounds: Bounds) -> Operation:
    """Return `GET /v1/ticks/{symbol}`."""
    example = {"symbol": AAPL, "epoch": EPOCH, "ticks": [tables.TICK], "gaps": [], "next": f"{EPOCH}-1607"}
    after = text("Go on after this position: `<epoch>-<seq>`.", pattern=tables.POSITION)
    return _operation(
        bounds,
        "ticks",
        "The ticks of a symbol after a position",
        "What is missing between them is named in `gaps`.",
        [
            parameters.one_symbol(),
            parameters.query("after", after, example=f"{EPOCH}-1606"),
            parameters.limit("Most ticks in the answer.", most=1000, usual=100),
        ],
        _table("Ticks, oldest first.", "Ticks", example, "epoch,seq\n"),
        (problem.UNKNOWN_SYMBOL, problem.HISTORY_UNAVAILABLE, *_ENTITLED),
    )


def candles(bounds: Bounds) -> Operation:
    """Return `GET /v1/candles/{symbol}`."""
    example = {"symbol": AAPL, "interval": "1m", "candles": [tables.CANDLE]}
    return _operation(
        bounds,
        "candles",
        "The newest candles of a symbol",
        "Of one second or one minute each; the last one may still grow.",
        [
            parameters.one_symbol(),
            parameters.query("interval", choice(("1s", "1m"), "How long each one is."), required=True, example="1m"),
            parameters.limit("Most candles in the answer.", most=500, usual=300),
        ],
        _table("Candles, oldest first.", "Candles", example, "start,open\n"),
        (problem.MISSING_PARAMETER, problem.UNKNOWN_SYMBOL, problem.HISTORY_UNAVAILABLE, *_ENTITLED),
    )


def ticket(bounds: Bounds) -> Operation:
    """Return `POST /v1/ticket`."""
    del bounds
    body = fields(
        {"ticket": text("Opens one connection."), "expires_in": integer("Seconds.", least=1)},
        "A ticket, for who cannot send a header.",
    )
    example = {"ticket": "twt_…", "expires_in": round(TICKET_S)}
    return {
        "operationId": "ticket",
        "summary": "A ticket for one connection",
        "description": f"For `EventSource` and others that cannot send a header: `?ticket=…`, within {TICKET_S:g} s.",
        "security": [{"bearer": []}],
        "responses": {
            "201": {"description": "A ticket.", "content": content(JSON, body, example)},
        },
    }


def document(name: str, what: str) -> Operation:
    """Return a document's own operation."""
    body = {"type": "object", "required": [name], "properties": {name: text("The version of the format.")}}
    return {
        "operationId": f"{name}_document",
        "summary": what,
        "description": "For everybody, without a token; pages of any origin may read it.",
        "security": [],
        "parameters": [parameters.if_none_match()],
        "responses": found("The document.", content(JSON, body, {name: "3"})),
    }


def _operation(
    bounds: Bounds,
    name: str,
    summary: str,
    description: str,
    asked: Sequence[dict[str, Any]],
    answers: Mapping[str, Any],
    kinds: Sequence[Kind],
) -> Operation:
    everywhere = (problem.BAD_PARAMETER, *_DOOR, *(_TOKEN if bounds.tokens else ()))
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "parameters": [*asked, parameters.form(), parameters.if_none_match()],
        "responses": {**answers, **problems((*kinds, *everywhere))},
    }


def _table(description: str, name: str, example: Any, csv: str) -> dict[str, Any]:
    bodies = {**content(JSON, ref(name), example), **content(CSV, {"type": "string"}, csv)}
    return found(description, bodies)
