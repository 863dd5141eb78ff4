"""The dashboard's files over HTTP."""

from __future__ import annotations

from pathlib import Path

from aiohttp import ClientSession, web

from gateway.wires.pages import Page, add_pages, read_pages


def test_read_pages(tmp_path: Path) -> None:
    """Files are read with their type, below folders too; hidden ones are not."""
    (tmp_path / "js").mkdir()
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "js" / "app.js").write_text("1")
    (tmp_path / ".secret").write_text("no")
    assert read_pages(tmp_path) == {
        "index.html": Page(b"<p>", "text/html; charset=utf-8"),
        "js/app.js": Page(b"1", "text/javascript; charset=utf-8"),
    }


async def test_served_with_a_strict_policy() -> None:
    """The index is at the root, everything carries the policy, and what was not read is 404."""
    application = web.Application()
    add_pages(application, {"index.html": Page(b"<p>", "text/html; charset=utf-8"), "a/b.js": Page(b"1", "x/y")})
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with ClientSession(f"http://127.0.0.1:{site.port}") as http:
            async with http.get("/") as answer:
                assert (answer.status, await answer.text()) == (200, "<p>")
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'self'; connect-src 'self'; object-src 'none'; ")
                assert "unsafe" not in policy
                assert answer.content_type == "text/html"
            async with http.get("/a/b.js") as answer:
                assert (answer.status, answer.content_type) == (200, "x/y")
            for path in ("/a", "/%2e%2e/session.py", "/a/../../session.py"):
                async with http.get(path) as answer:
                    assert answer.status == 404
    finally:
        await runner.cleanup()
