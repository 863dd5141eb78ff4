"""The operations of plain HTTP, one function for each.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from gateway.wires import problem
from gateway.wires.http import query as limits
from gateway.wires.problem import Kind
from gateway.wires.spec import answersamples, parameters, tables
from gateway.wires.spec.answers import CSV, JSON, content, found, problems, stated
from gateway.wires.spec.answersamples import Sample
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.samples import MOMENT
from gateway.wires.spec.vocabulary import choice, fields, integer, ref, symbol, text
from services.broker.tickets import TICKET_S

Operation = dict[str, Any]

DOOR: Final = (
    problem.BAD_PARAMETER,
    problem.TOKEN_IN_URL,
    problem.ORIGIN,
    problem.TOO_FAST,
    problem.CROWDED,
    problem.BUSY,
)
"""What may happen to any request."""
TOKEN: Final = (problem.NO_TOKEN, problem.TOKEN_REFUSED, problem.TOKEN_EXPIRED)
"""What may happen to any request where a token is asked for."""
_TICKET: Final = (problem.TICKET_TOO_LONG, problem.ORIGIN, problem.TOO_FAST, problem.BUSY)
SYMBOL: Final = (
    problem.UNKNOWN_SYMBOL,
    problem.NOT_ENTITLED,
    problem.DELAYED_UNAVAILABLE,
    problem.FEED_UNAVAILABLE,
)
"""What may happen to any request that names a symbol."""


class Call(NamedTuple):
    """One way to ask for tables."""

    name: str
    summary: str
    description: str
    asked: Sequence[dict[str, Any]]
    body: str
    """Name of the answer's schema."""
    sample: Sample
    kinds: Sequence[Kind]
    """The problems that it has beside those of every request."""

    def operation(self, bounds: Bounds) -> Operation:
        """Return it as the document has it."""
        bodies = {
            **content(JSON, ref(self.body), self.sample.json),
            **content(CSV, {"type": "string"}, self.sample.csv),
        }
        everywhere = (*DOOR, *(TOKEN if bounds.tokens else ()))
        return {
            "operationId": self.name,
            "summary": self.summary,
            "description": self.description,
            "parameters": [*self.asked, parameters.form(), parameters.if_none_match()],
            "responses": {**found("What was asked for.", bodies, "Link"), **problems((*everywhere, *self.kinds))},
        }


def symbols() -> Call:
    """Return `GET /v1/symbols`."""
    return Call(
        "symbols",
        "The directory of symbols",
        "Those that the token names, in the order of their names: all, or what `prefix` and `q` find.",
        (
            parameters.query("prefix", text("Beginning of the symbol.", maxLength=limits.SEARCHED), example="AA"),
            parameters.query(
                "q",
                text("What begins the symbol, or a word of its name.", maxLength=limits.SEARCHED),
                example="apple",
            ),
            parameters.limit("Most symbols in the answer.", most=limits.MOST_LISTED, usual=limits.LISTED),
            parameters.query("after", symbol("Go on behind this symbol: `next` of the answer before.")),
        ),
        "Directory",
        answersamples.directory(),
        (problem.FEED_UNAVAILABLE,),
    )


def quotes() -> Call:
    """Return `GET /v1/quotes`."""
    return Call(
        "quotes",
        "The newest tick of some symbols",
        "With the day's figures, where history gave them in time.",
        (parameters.several("symbols", "Which symbols, a comma between.", most=limits.MOST_QUOTED),),
        "Quotes",
        answersamples.quoted(),
        (problem.MISSING_PARAMETER, problem.TOO_MANY_SYMBOLS, *SYMBOL),
    )


def ticks() -> Call:
    """Return `GET /v1/ticks/{symbol}`."""
    after = text("Go on after this position, `next` of the answer before; left out: the newest ticks.")
    return Call(
        "ticks",
        "The ticks of a symbol after a position",
        "What is missing between them is named in `gaps`: one answer after another is as complete as a stream.",
        (
            parameters.one_symbol(),
            parameters.query("after", {**after, "pattern": tables.POSITION}, example=f"{MOMENT.epoch}-1606"),
            parameters.limit("Most ticks in the answer.", most=limits.MOST_TICKS, usual=limits.TICKS),
        ),
        "Ticks",
        answersamples.past(),
        (problem.HISTORY_UNAVAILABLE, *SYMBOL),
    )


def candles() -> Call:
    """Return `GET /v1/candles/{symbol}`."""
    interval = {**choice(limits.INTERVALS, "How long each one is."), "default": "1m"}
    return Call(
        "candles",
        "The newest candles of a symbol",
        "The last one may still grow.",
        (
            parameters.one_symbol(),
            parameters.query("interval", interval, example="1m"),
            parameters.limit("Most candles in the answer.", most=limits.MOST_CANDLES, usual=limits.CANDLES),
        ),
        "Candles",
        answersamples.charted(),
        (problem.HISTORY_UNAVAILABLE, *SYMBOL),
    )


def ticket() -> Operation:
    """Return `POST /v1/ticket`."""
    body = fields(
        {"ticket": text("Opens one connection, or one request."), "expires_in": integer("Seconds.", least=1)},
        "A ticket, for who cannot send a header.",
    )
    example = {"ticket": "twt_…", "expires_in": round(TICKET_S)}
    return {
        "operationId": "ticket",
        "summary": "A ticket for one connection",
        "description": "For `EventSource` and others that cannot send a header: "
        f"`?ticket=…`, within {TICKET_S:g} s.",
        "security": [{"bearer": []}],
        "responses": {
            "201": {
                "description": "A ticket.",
                "headers": stated("Cache-Control"),
                "content": content(JSON, body, example),
            },
            **problems((*TOKEN, *_TICKET)),
        },
    }


def document(name: str, what: str, version: str) -> Operation:
    """Return a document's own operation."""
    body = fields({name: text("The version of the format.")})
    return {
        "operationId": f"{name}_document",
        "summary": what,
        "description": "For everybody, without a token; pages of any origin may read it.",
        "security": [],
        "parameters": [parameters.if_none_match()],
        "responses": found("The document.", content(JSON, body, {name: version})),
    }
