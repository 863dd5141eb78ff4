"""The page's files over HTTP."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, web

from gateway.wires.pages import LASTING, Page, accepts_gzip, add_pages, read_pages

SCRIPT = b"let price = 1;\n" * 100


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder like that of a build."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "assets" / "app-1a2b.js").write_bytes(SCRIPT)
    (tmp_path / ".secret").write_text("no")
    return tmp_path


@pytest.fixture
def pages(built: Path) -> dict[str, Page]:
    """What is read from there."""
    return read_pages(built)


@pytest.fixture
def unbuilt(tmp_path: Path) -> list[dict[str, Page]]:
    """What is read from an empty folder, and from none."""
    return [read_pages(tmp_path), read_pages(tmp_path / "nowhere")]


@asynccontextmanager
async def served(pages: dict[str, Page]) -> AsyncIterator[ClientSession]:
    """Serve *pages*; yield a client that undoes no coding."""
    application = web.Application()
    add_pages(application, pages)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with ClientSession(f"http://127.0.0.1:{site.port}", auto_decompress=False) as http:
            yield http
    finally:
        await runner.cleanup()


async def got(http: ClientSession, path: str, **headers: str) -> tuple[ClientResponse, bytes]:
    """Return the answer to a GET with *headers* (`_` for `-`), and its body as it was sent."""
    asked = {"Accept-Encoding": "identity", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with http.get(path, headers=asked) as answer:
        return answer, await answer.read()


def test_read_pages(built: Path) -> None:
    """Files are read with their type, below folders too; hidden ones are not; what shrinks is packed."""
    pages = read_pages(built)
    assert pages["index.html"] == Page(b"<p>", "text/html; charset=utf-8")
    script = pages["assets/app-1a2b.js"]
    assert (script.body, script.content_type, script.caching) == (
        SCRIPT,
        "text/javascript; charset=utf-8",
        LASTING,
    )
    assert script.packed is not None
    assert gzip.decompress(script.packed) == SCRIPT
    assert set(pages) == {"index.html", "assets/app-1a2b.js"}


async def test_served_with_a_strict_policy() -> None:
    """The index is at the root, everything carries the policy, and what was not read is 404."""
    pages = {"index.html": Page(b"<p>", "text/html; charset=utf-8"), "a/b.js": Page(b"1", "x/y")}
    async with served(pages) as http:
        answer, body = await got(http, "/")
        assert (answer.status, body) == (200, b"<p>")
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; connect-src 'self'; object-src 'none'; ")
        assert "unsafe" not in policy
        assert answer.content_type == "text/html"
        answer, _ = await got(http, "/a/b.js")
        assert (answer.status, answer.content_type) == (200, "x/y")
        for path in ("/a", "/%2e%2e/session.py", "/a/../../session.py"):
            answer, _ = await got(http, path)
            assert answer.status == 404


async def test_cached_as_its_name_allows(pages: dict[str, Page]) -> None:
    """A file with a digest in its name is kept for a year; the index is asked for each time, and sent once."""
    async with served(pages) as http:
        script, _ = await got(http, "/assets/app-1a2b.js")
        assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        index, _ = await got(http, "/")
        assert index.headers["Cache-Control"] == "no-cache"
        again, body = await got(http, "/", If_None_Match=f'W/{index.headers["ETag"]}, "other"')
        assert (again.status, body, again.headers["ETag"]) == (304, b"", index.headers["ETag"])
        other, body = await got(http, "/", If_None_Match='"other"')
        assert (other.status, body) == (200, b"<p>")


async def test_packed_for_who_can_unpack(pages: dict[str, Page]) -> None:
    """Gzip is sent to who accepts it, with a tag of its own."""
    async with served(pages) as http:
        plain, body = await got(http, "/assets/app-1a2b.js")
        packed, fewer = await got(http, "/assets/app-1a2b.js", Accept_Encoding="gzip, br")
        assert (body, gzip.decompress(fewer)) == (SCRIPT, SCRIPT)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
        assert plain.headers["ETag"] != packed.headers["ETag"]
        assert packed.content_type == plain.content_type == "text/javascript"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("xgzip", False),
    ],
)
def test_accepts_gzip(header: str, accepted: bool) -> None:  # noqa: FBT001 - a row of the table
    """A coding with a weight of 0 is refused; `*` stands for what is not named."""
    assert accepts_gzip(header) is accepted


async def test_not_built(unbuilt: list[dict[str, Page]]) -> None:
    """Without a build the root says what to do, with 503, and no cache keeps that."""
    for pages in unbuilt:
        async with served(pages) as http:
            answer, body = await got(http, "/", If_None_Match="*")
            assert (answer.status, answer.headers["Cache-Control"]) == (503, "no-store")
            assert b"make web" in body
            assert "Content-Security-Policy" in answer.headers
