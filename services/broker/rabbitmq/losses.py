"""Why a connection ended or was not made, told apart from what aiormq and the broker said."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Final

from aiormq.exceptions import (
    AMQPChannelError,
    AuthenticationError,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
    ProtocolSyntaxError,
)

from services.broker.ports import LostReason
from services.broker.rabbitmq.frames import Closed
from services.errors import BrokerUnavailable

_BY_CODE: Final = {
    320: LostReason.CLOSED,  # by an operator, or the node shuts down
    403: LostReason.AUTH,  # user or password
    506: LostReason.CLOSED,  # out of a resource
    530: LostReason.AUTH,  # virtual host unknown or not allowed
    541: LostReason.CLOSED,  # internal error, such as a virtual host that is not up yet
}


class Lost(BrokerUnavailable):
    """The connection ended or was not made, because of *reason*; the text is the detail for the log."""

    def __init__(self, reason: LostReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def by_close(closed: Closed) -> Lost:
    """Return what an orderly close by the broker means."""
    reason = _BY_CODE.get(closed.code, LostReason.PROTOCOL)
    return Lost(reason, f"{closed.code} {closed.text}")


def by_dialing(error: BaseException, *, secure: bool) -> Lost:
    """Return what an *error* means that came before the transport stood; *secure*: TLS was asked for."""
    handshake = isinstance(error, ConnectionResetError | ConnectionAbortedError | FileNotFoundError)
    if isinstance(error, ssl.SSLError | ssl.CertificateError) or (secure and handshake):
        return Lost(LostReason.TLS, repr(error))
    return Lost(LostReason.REFUSED, repr(error))


def by_error(error: BaseException) -> Lost:
    """Return what an *error* means that came on a transport that stood."""
    if isinstance(error, Lost):
        return error
    if isinstance(error, AuthenticationError | ProbableAuthenticationError):
        return Lost(LostReason.AUTH, repr(error))
    if isinstance(error, ChannelNotFoundEntity):
        # Right after a restart the log's home is not up for 0.2 to 0.3 s, and what we use we declare.
        return Lost(LostReason.CLOSED, repr(error))
    if isinstance(error, AMQPChannelError | ProtocolSyntaxError):
        return Lost(LostReason.PROTOCOL, repr(error))
    return Lost(_of_transport(error), repr(error))


def _of_transport(error: BaseException) -> LostReason:
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        # With TLS 1.3 the broker may find fault with our certificate after the handshake is over for us.
        return LostReason.TLS
    return LostReason.SILENT if isinstance(error, asyncio.TimeoutError) else LostReason.BROKEN


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from: aiormq raises one again and again, so they may stand in a ring."""
    seen = set[int]()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
