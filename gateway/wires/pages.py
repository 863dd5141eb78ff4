"""The page's files, served from memory: no path of a request ever reaches the file system.

They are what `make web` builds from `gateway/web`.  Where nobody has, a page without a script says so, with status
503: the gateway serves clients, but not what was asked for here.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from aiohttp import ETag, web

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""Not the machine's own table: with the wrong type of a script `nosniff` keeps browsers from running it."""

_WEB: Final = Path(__file__).parent.parent / "web"
FOLDER: Final = _WEB / "dist"
UNBUILT: Final = _WEB / "unbuilt.html"
INDEX: Final = "index.html"
ASSETS: Final = "assets"
"""Where the build puts files with a digest in their name."""
LASTING: Final = "public, max-age=31536000, immutable"
"""A year, the longest that caches know: another content has another name."""
_SHRINKS: Final = frozenset({".html", ".css", ".js", ".json", ".svg", ".txt"})
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
}
"""Nothing inline, nothing from elsewhere, in nobody's frame.  `connect-src 'self'` allows the WebSocket of this
host: so says CSP 3, and so do Chrome since 70, Firefox, and Safari since its releases of 2022."""

_log = structlog.get_logger("tickwire.gateway")


class Page(NamedTuple):
    """One file as it is sent."""

    body: bytes
    content_type: str
    packed: bytes | None = None
    """The body in gzip, where that is smaller."""
    caching: str = "no-cache"
    status: int = 200

    @property
    def tag(self) -> str:
        """What names this content among all that its path ever had."""
        return blake2b(self.body, digest_size=12).hexdigest()


def read_pages(folder: Path = FOLDER) -> dict[str, Page]:
    """Return the files below *folder* by their path in a URL, without a leading slash.  Reads the disk.

    Without an index among them: one that says how to build the page.
    """
    pages = {
        path.relative_to(folder).as_posix(): _read(path, lasting=path.is_relative_to(folder / ASSETS))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    if INDEX not in pages:
        _log.warning("page.unbuilt", folder=str(folder), build="make web")
        pages[INDEX] = Page(UNBUILT.read_bytes(), _TYPES[".html"], caching="no-store", status=503)
    return pages


def add_pages(application: web.Application, pages: Mapping[str, Page]) -> None:
    """Serve *pages*, with `/` for the index."""
    answers = {path: _Answer(page) for path, page in pages.items()}

    async def page(request: web.Request) -> web.Response:
        found = answers.get(request.match_info.get("path") or INDEX)
        if found is None:
            raise web.HTTPNotFound
        return found.to(request)

    application.router.add_get("/", page)
    application.router.add_get("/{path:.+}", page)


class _Answer:
    """One file, ready to be sent: plain, in gzip, or "you have it"."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._tag = page.tag
        self._headers = {
            **HEADERS,
            "Cache-Control": page.caching,
            **({"Vary": "Accept-Encoding"} if page.packed is not None else {}),
        }

    def to(self, request: web.Request) -> web.Response:
        """Return what *request* is answered with."""
        packed = self._page.packed if accepts_gzip(request.headers.get("Accept-Encoding", "")) else None
        # Strong tags name bytes, and the two codings have different ones.
        tag = self._tag if packed is None else f"{self._tag}-gzip"
        headers = {**self._headers, "ETag": f'"{tag}"'}
        if self._page.status == HTTPStatus.OK and _has(request.if_none_match, tag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        headers["Content-Type"] = self._page.content_type
        if packed is None:
            return web.Response(status=self._page.status, body=self._page.body, headers=headers)
        return web.Response(body=packed, headers={**headers, "Content-Encoding": "gzip"})


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` allows gzip: it names it, or `*`, and not with a weight of 0."""
    weights = dict(map(_weight, header.lower().split(",")))
    return weights.get("gzip", weights.get("*", False))


def _weight(entry: str) -> tuple[str, bool]:
    """Return a coding, and whether it may be used."""
    coding, _, parameter = entry.partition(";")
    return coding.strip(), parameter.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}


def _has(tags: tuple[ETag, ...] | None, tag: str) -> bool:
    """Whether the client has it, by the weak comparison of RFC 9110, 13.1.2."""
    return any(held.value in {tag, "*"} for held in tags or ())


def _read(path: Path, *, lasting: bool) -> Page:
    body = path.read_bytes()
    packed = gzip.compress(body, 9, mtime=0) if path.suffix in _SHRINKS else body
    content_type = _TYPES.get(path.suffix, "application/octet-stream")
    return Page(
        body, content_type, packed if len(packed) < len(body) else None, LASTING if lasting else "no-cache"
    )
