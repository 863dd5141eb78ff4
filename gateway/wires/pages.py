"""The dashboard's files, served from memory: no path of a request ever reaches the file system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
"""Not the machine's own table: with the wrong type of a script `nosniff` keeps browsers from running it."""

FOLDER: Final = Path(__file__).parent.parent / "web"
INDEX: Final = "index.html"
_FEATURES: Final = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Nothing inline, nothing from elsewhere, in nobody's frame.  `connect-src 'self'` allows the WebSocket of this
host: so says CSP 3, and so do Chrome since 70, Firefox, and Safari since its releases of 2022."""


class Page(NamedTuple):
    """One file as it is sent."""

    body: bytes
    content_type: str


def read_pages(folder: Path = FOLDER) -> dict[str, Page]:
    """Return the files below *folder* by their path in a URL, without a leading slash.  Reads the disk."""
    return {
        path.relative_to(folder).as_posix(): Page(path.read_bytes(), _content_type(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def add_pages(application: web.Application, pages: Mapping[str, Page]) -> None:
    """Serve *pages*, with `/` for the index."""

    async def page(request: web.Request) -> web.Response:
        found = pages.get(request.match_info.get("path") or INDEX)
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found.body, headers={**HEADERS, "Content-Type": found.content_type})

    application.router.add_get("/", page)
    application.router.add_get("/{path:.+}", page)


def _content_type(path: Path) -> str:
    return _TYPES.get(path.suffix, "application/octet-stream")
