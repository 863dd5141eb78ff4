"""Problems of RFC 9457."""

from __future__ import annotations

import orjson
import pytest

from gateway.admission import refusal
from gateway.admission.refusal import Refusal
from gateway.wires.problem import BAD_PARAMETER, NO_TOKEN, TABLE, Problem, refused


def test_body() -> None:
    """A problem names its kind, the parameter and what is allowed; what it does not know it leaves out."""
    problem = Problem(BAD_PARAMETER, "interval is 1s or 1m.", parameter="interval", allowed=("1s", "1m"))
    assert orjson.loads(problem.body()) == {
        "type": "/docs#bad_parameter",
        "title": BAD_PARAMETER.title,
        "status": 400,
        "code": "bad_parameter",
        "detail": "interval is 1s or 1m.",
        "parameter": "interval",
        "allowed": ["1s", "1m"],
    }
    assert problem.headers == {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    assert str(problem) == "interval is 1s or 1m."


def test_codes() -> None:
    """Each code stands for one kind."""
    assert len({kind.code for kind in TABLE}) == len(TABLE)
    assert all(400 <= kind.status < 600 for kind in TABLE)


@pytest.mark.parametrize("why", refusal.TABLE, ids=lambda why: why.handshake.value)
def test_refusals(why: Refusal) -> None:
    """Every way to be turned away is a problem with the same status and the same wait."""
    problem = refused(why)
    assert problem.status == why.status
    assert problem.headers.get("Retry-After") == (None if why.retry_after_s is None else str(why.retry_after_s))
    assert orjson.loads(problem.body())["status"] == why.status


def test_unauthorized() -> None:
    """Who is asked for a token is told of what kind."""
    assert Problem(NO_TOKEN, "").headers["WWW-Authenticate"] == "Bearer"
