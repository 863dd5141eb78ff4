"""What an error means."""

from __future__ import annotations

import ssl

import pytest
from aiormq import exceptions

from services.broker.ports import LostReason
from services.broker.rabbitmq.frames import Closed
from services.broker.rabbitmq.losses import Lost, by_close, by_dialing, by_error


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (320, LostReason.CLOSED),
        (403, LostReason.AUTH),
        (530, LostReason.AUTH),
        (541, LostReason.CLOSED),
        (504, LostReason.PROTOCOL),
        (540, LostReason.PROTOCOL),
    ],
)
def test_a_close_is_told_apart_by_its_code(code: int, reason: LostReason) -> None:
    """The code of the broker's close decides the reason, and its words are the detail."""
    lost = by_close(Closed(0, code, "WORDS"))
    assert lost.reason is reason
    assert str(lost) == f"{code} WORDS"


@pytest.mark.parametrize(
    ("error", "secure", "reason"),
    [
        (ConnectionRefusedError(), False, LostReason.REFUSED),
        (ConnectionRefusedError(), True, LostReason.REFUSED),
        (TimeoutError(), False, LostReason.REFUSED),
        (ssl.SSLCertVerificationError(), True, LostReason.TLS),
        (ConnectionResetError(), True, LostReason.TLS),
        (ConnectionResetError(), False, LostReason.REFUSED),
        (FileNotFoundError(), True, LostReason.TLS),
    ],
)
def test_an_error_before_the_transport_stands(error: OSError, *, secure: bool, reason: LostReason) -> None:
    """Before the transport stands it is the address or the handshake that failed."""
    assert by_dialing(error, secure=secure).reason is reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (exceptions.ProbableAuthenticationError("x"), LostReason.AUTH),
        (exceptions.ChannelPreconditionFailed("x"), LostReason.PROTOCOL),
        (exceptions.ChannelNotFoundEntity("x"), LostReason.CLOSED),
        (exceptions.InvalidFrameError("x"), LostReason.PROTOCOL),
        (exceptions.AMQPConnectionError("x"), LostReason.BROKEN),
        (Exception(), LostReason.BROKEN),
        (Lost(LostReason.SILENT, "x"), LostReason.SILENT),
    ],
)
def test_an_error_on_a_transport_that_stood(error: Exception, reason: LostReason) -> None:
    """What aiormq raised decides the reason; a loss that is known keeps its own."""
    assert by_error(error).reason is reason


def test_a_fault_of_tls_is_found_inside_others() -> None:
    """A broker that refuses our certificate after the handshake is TLS, however deep aiormq wraps it."""
    inner = exceptions.AMQPConnectionError("x")
    inner.__cause__ = ssl.SSLError("alert bad certificate")
    outer = exceptions.AMQPConnectionError("y")
    outer.__context__ = inner
    assert by_error(outer).reason is LostReason.TLS


def test_errors_in_a_ring_have_an_end() -> None:
    """Two errors that came from each other, as aiormq makes them, are looked through once."""
    one, two = exceptions.AMQPConnectionError("x"), exceptions.AMQPConnectionError("y")
    one.__cause__, two.__cause__ = two, one
    assert by_error(one).reason is LostReason.BROKEN
