"""The documents and their page over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, TCPConnector, web

from gateway.settings import GatewaySettings
from gateway.wires.headers import secure_answers
from gateway.wires.spec.serving import add_documents, documents

PATHS = ["/v1/openapi.json", "/v1/asyncapi.json", "/docs", "/docs/style.css"]


@pytest.fixture(name="http")
async def _http() -> AsyncIterator[ClientSession]:
    """A client of a server that serves the documents of a gateway with default settings."""
    application = web.Application()
    secure_answers(application, lambda _: False)
    add_documents(application, await asyncio.to_thread(documents, GatewaySettings()))
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    connector = TCPConnector()
    async with ClientSession(f"http://127.0.0.1:{site.port}", connector=connector, auto_decompress=False) as http:
        yield http
    await runner.cleanup()


@pytest.mark.parametrize("path", PATHS)
async def test_asked_again(http: ClientSession, path: str) -> None:
    """What has not changed is 304 without a body, plain and compressed, each by its own name."""
    names = set()
    for encoding in ("identity", "gzip"):
        async with http.get(path, headers={"Accept-Encoding": encoding}) as first:
            body = await first.read()
            assert first.status == 200
            assert first.headers["Cache-Control"] == "public, max-age=300"
            names.add(first.headers["ETag"])
        known = {"Accept-Encoding": encoding, "If-None-Match": first.headers["ETag"]}
        async with http.get(path, headers=known) as again:
            assert (again.status, await again.read()) == (304, b"")
            assert again.headers["ETag"] == first.headers["ETag"]
        if encoding == "gzip":
            assert len(body) < len(gzip.decompress(body))
    assert len(names) == 2


@pytest.mark.parametrize("path", PATHS[:2])
async def test_from_any_origin(http: ClientSession, path: str) -> None:
    """A page of any origin may read the documents: they are no secret, and no cookie comes with the request."""
    async with http.get(path, headers={"Origin": "https://tools.example"}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer.content_type == "application/json"


async def test_policy_of_the_page(http: ClientSession) -> None:
    """The page runs under a policy that allows no script at all, and nobody may frame it."""
    async with http.get("/docs") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_other_methods(http: ClientSession) -> None:
    """HEAD answers without a body; another method is 405, a problem that names those that there are."""
    async with http.head("/docs") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    async with http.post("/v1/openapi.json") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert answer.content_type == "application/problem+json"
