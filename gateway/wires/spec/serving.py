"""`/v1/openapi.json`, `/v1/asyncapi.json` and `/docs`: made once at the start, and served from memory.

Anybody may read them, from any origin and without a token: they say what the project's own pages say, and how much
this gateway allows, which every `welcome` says too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from aiohttp import web

from gateway.settings import GatewaySettings
from gateway.wires.http.accept import takes_gzip
from gateway.wires.http.answer import compress, make_etag, names
from gateway.wires.problem import Problem, check_method
from gateway.wires.spec.asyncapi import asyncapi
from gateway.wires.spec.bounds import bounds
from gateway.wires.spec.openapi import openapi
from gateway.wires.spec.page import page

MAX_AGE_S: Final = 300
"""Seconds that a document may be kept: a new version of the gateway is seen within five minutes."""
STYLE: Final = Path(__file__).parent / "docs.css"
Handler = Callable[[web.Request], Awaitable[web.Response]]

METHODS: Final = ("GET", "HEAD")
KEPT: Final = f"public, max-age={MAX_AGE_S}"
_JSON: Final = "application/json"
_OPEN: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
_PAGE: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Document(NamedTuple):
    """What is sent for one path: plain and compressed, each with its name."""

    plain: tuple[str, bytes]
    gzipped: tuple[str, bytes]
    headers: Mapping[str, str]

    def answer(self, request: web.Request) -> web.Response:
        """Return the answer to *request*."""
        try:
            check_method(request.method, METHODS)
        except Problem as problem:
            return web.Response(status=problem.status, body=problem.body(), headers=problem.headers)
        small = takes_gzip(request.headers.get("Accept-Encoding", ""))
        tag, body = self.gzipped if small else self.plain
        headers = {**self.headers, "ETag": tag, "Cache-Control": KEPT, "Vary": "Accept-Encoding"}
        if names(request.headers.get("If-None-Match", ""), tag):
            return web.Response(status=304, headers=headers)
        encoding = {"Content-Encoding": "gzip"} if small else {}
        return web.Response(body=body, headers={**headers, **encoding})


def documents(settings: GatewaySettings) -> dict[str, Document]:
    """Return what a gateway with these *settings* serves, by its path.  Reads the disk."""
    stated = bounds(settings, version("tickwire"))
    http, streams = openapi(stated), asyncapi(stated)
    return {
        "/v1/openapi.json": _document(orjson.dumps(http), _JSON, _OPEN),
        "/v1/asyncapi.json": _document(orjson.dumps(streams), _JSON, _OPEN),
        "/docs": _document(page(http, streams).encode(), "text/html; charset=utf-8", _PAGE),
        "/docs/style.css": _document(STYLE.read_bytes(), "text/css; charset=utf-8", {}),
    }


def add_documents(application: web.Application, served: Mapping[str, Document]) -> None:
    """Serve them."""
    for path, document in served.items():
        application.router.add_route("*", path, _answering(document))


def _answering(document: Document) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return document.answer(request)

    return answer


def _document(body: bytes, content_type: str, headers: Mapping[str, str]) -> Document:
    plain, gzipped = (make_etag([body], gzip=False), body), (make_etag([body], gzip=True), compress([body]))
    return Document(plain, gzipped, {"Content-Type": content_type, **headers})
