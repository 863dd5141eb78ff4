"""Why a connection of the canary ended."""

from __future__ import annotations

import pytest

from tickwire.canary.reason import Reason, of_ending, of_refusal
from tickwire_client import Ending, NotTrusted, Refused, TokenRefused


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1012, Reason.RESTART),
        (1013, Reason.OVERLOADED),
        (4401, Reason.TOKEN_EXPIRED),
        (4429, Reason.TOO_MANY_COMMANDS),
        (1011, Reason.CLOSED),
        (None, Reason.CLOSED),
    ],
)
def test_close_codes(code: int | None, reason: Reason) -> None:
    """A close code that says what to do is a reason of its own."""
    assert of_ending(Ending.CLOSED, code) is reason


@pytest.mark.parametrize("how", set(Ending) - {Ending.CLOSED})
def test_every_ending(how: Ending) -> None:
    """Every way in which the client may lose a connection has a reason that is not that of a close frame."""
    assert of_ending(how, None) is not Reason.CLOSED


def test_refusals() -> None:
    """A refusal is told apart by its type, and somebody has to do something about it."""
    refusals = [of_refusal(kind("x")) for kind in (TokenRefused, NotTrusted, Refused)]

    assert refusals == [Reason.TOKEN_REFUSED, Reason.TLS, Reason.REFUSED]
    assert all(reason.final for reason in refusals)
    assert not any(reason.final for reason in (Reason.RESTART, Reason.GONE, Reason.UNREACHABLE, Reason.OVERLOADED))
