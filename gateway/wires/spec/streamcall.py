"""`GET /v1/sse` as an operation of HTTP: how to ask for a stream of events.  Pure."""

from __future__ import annotations

from typing import Any, Final

from gateway.wires import problem
from gateway.wires.native.parse import LEAST_RATE, MOST_RATE
from gateway.wires.spec import parameters
from gateway.wires.spec.answers import content, problems, stated
from gateway.wires.spec.bounds import Bounds
from gateway.wires.spec.operations import DOOR, SYMBOL, TOKEN
from gateway.wires.spec.vocabulary import number, text, truth
from gateway.wires.sse.wish import STREAM_SYMBOLS

PATH: Final = "/v1/sse"
STREAM: Final = "text/event-stream"
_KINDS: Final = (*DOOR, problem.MISSING_PARAMETER, problem.TOO_MANY_SYMBOLS, *SYMBOL)
_EXAMPLE: Final = """\
retry: 1730

event: ticks
id: 1WAhNWwGAvNnynjSSCN0B
data: [{"seq":1607,"ts":1795391720392596,"symbol":"AAPL","price":268.47,"size":100}]

"""


def stream(bounds: Bounds) -> dict[str, Any]:
    """Return the operation."""
    answer = {
        "200": {
            "description": "Events until either side ends the stream; which ones, the AsyncAPI document says.",
            "headers": stated("Tickwire-Resumed"),
            "content": content(STREAM, {"type": "string"}, _EXAMPLE),
        }
    }
    return {
        "operationId": "events",
        "summary": "Live ticks as server-sent events",
        "description": "For `EventSource`, curl, and whatever cannot speak WebSocket.",
        "parameters": _asked(bounds),
        "responses": {**answer, **problems((*_KINDS, *(TOKEN if bounds.tokens else ())))},
    }


def _asked(bounds: Bounds) -> list[dict[str, Any]]:
    most = min(STREAM_SYMBOLS, bounds.max_symbols)
    rate = number("At most so many ticks per second and symbol.", least=LEAST_RATE, most=MOST_RATE)
    last = "The id of the last event that came: go on behind it."
    return [
        parameters.several("symbols", "Which symbols, a comma between.", most=most),
        parameters.query("max_rate", rate, example=5),
        parameters.query(
            "snapshot", truth("False: start after the newest tick instead of with it.", default=True)
        ),
        parameters.query("last_event_id", text(last)),
        parameters.header("Last-Event-ID", text(f"{last}  Goes before `last_event_id`.")),
    ]
