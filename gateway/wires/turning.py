"""A refusal as an HTTP answer."""

from __future__ import annotations

from typing import NoReturn

from aiohttp import web

from gateway.admission.refusal import Refusal

_ANSWERS = {
    401: web.HTTPUnauthorized,
    403: web.HTTPForbidden,
    429: web.HTTPTooManyRequests,
    503: web.HTTPServiceUnavailable,
}


def turn_away(refusal: Refusal) -> NoReturn:
    """Answer a request with *refusal*."""
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = "Bearer"  # RFC 6750 section 3
    raise _ANSWERS[refusal.status](headers=headers, text=refusal.text + "\n")
