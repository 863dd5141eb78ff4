"""What every answer says to browsers: take it for what it is, and use it for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

HSTS_S: Final = 31_536_000
"""Seconds in which a browser that came by TLS once comes by TLS only: a year."""

PLAIN: Final = {
    "Server": "tickwire",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Of every answer that says nothing else: no version of anything, no type but the one stated, in nobody's page."""


def secure_answers(application: web.Application, secure: Callable[[web.Request], bool]) -> None:
    """Give every answer of *application* these headers; *secure*: whether a request's client came by TLS."""

    async def finish(request: web.Request, answer: web.StreamResponse) -> None:
        answer.headers["Server"] = PLAIN["Server"]  # aiohttp has put its own there
        if answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
            return  # nothing of it is ever shown
        for name, value in PLAIN.items():
            answer.headers.setdefault(name, value)
        if secure(request) and not _is_local(request.host):
            answer.headers.setdefault("Strict-Transport-Security", f"max-age={HSTS_S}")

    application.on_response_prepare.append(finish)


def _is_local(host: str) -> bool:
    """Whether *host* is this machine for everybody: a browser would refuse every other server on it plain HTTP."""
    name = host.partition(":")[0].lower()
    return name == "localhost" or name.endswith(".localhost")
